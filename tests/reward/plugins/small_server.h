// An HTTP server on a free port of this machine, for tests: it reads whole requests and sends the
// bytes that it is told to.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hone {

class SmallServer {
 public:
  // The bytes to send back to a request, its head and its body given; empty: the connection is
  // closed without a word. Called on a thread of the connection.
  using Answer = std::function<std::string(const std::string& head, const std::string& body)>;

  explicit SmallServer(Answer answer);
  ~SmallServer();

  std::string url(const std::string& path = "/score") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int requests() const { return requests_; }
  int connections() const { return connections_; }

 private:
  void Serve(int socket);

  Answer answer_;
  int listener_ = -1, port_ = 0;
  std::atomic<int> requests_{0}, connections_{0};
  std::mutex mutex_;  // of the rest
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// A whole response with this body.
std::string HttpResponse(const std::string& status, const std::string& body,
                         const std::string& headers = "");

}  // namespace hone
