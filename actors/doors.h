// Where workers come in: those of the run itself by one address, those of other processes by
// another, so that nobody who comes from outside can pass for a worker of the run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "transport/socket.h"

namespace hone {

// As RouterSocket; a peer from outside is called "remote/" and the name it gives itself, and is not
// heard unless that is of letters, digits, ".", "_" and "-". Thread contract: one thread.
class Doors {
 public:
  // Listens. No outside: empty. Throws RunError naming the address, UsageError when it is not one
  // of this machine alone.
  Doors(zmq::context_t& context, const std::string& inside, const std::string& outside,
        const SocketOptions& options);

  std::optional<RouterSocket::Received> Receive(std::chrono::milliseconds wait);
  void Send(const std::string& peer, Frames frames);
  std::vector<std::string> Flush();
  void Drop(const std::string& peer);

  static bool IsOutside(const std::string& peer);

 private:
  RouterSocket inside_;
  std::optional<RouterSocket> outside_;
};

}  // namespace hone
