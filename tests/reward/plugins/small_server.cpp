#include "small_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hone {
namespace {

// Bytes up to the end of a request; false when the connection ended.
bool ReadUntil(int socket, std::string* bytes, size_t size) {
  char part[1 << 16];
  while (bytes->size() < size) {
    const ssize_t got = recv(socket, part, sizeof(part), 0);
    if (got <= 0) return false;
    bytes->append(part, static_cast<size_t>(got));
  }
  return true;
}

}  // namespace

SmallServer::SmallServer(Answer answer) : answer_(std::move(answer)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 64), 0);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] {
    for (;;) {
      const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;  // shut down
      ++connections_;
      const std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
      threads_.emplace_back([this, socket] { Serve(socket); });
    }
  });
}

SmallServer::~SmallServer() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
  for (std::thread& thread : threads_) thread.join();
  for (const int socket : sockets_) close(socket);
  close(listener_);
}

void SmallServer::Serve(int socket) {
  std::string bytes;
  for (;;) {
    size_t end = std::string::npos;
    while ((end = bytes.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadUntil(socket, &bytes, bytes.size() + 1)) return;
    }
    const std::string head = bytes.substr(0, end);
    bytes.erase(0, end + 4);
    const size_t length = head.find("Content-Length: ");
    const size_t size = length == std::string::npos ? 0 : std::stoul(head.substr(length + 16));
    if (!ReadUntil(socket, &bytes, size)) return;
    ++requests_;
    const std::string response = answer_(head, bytes.substr(0, size));
    bytes.erase(0, size);
    for (size_t sent = 0; sent < response.size();) {
      const ssize_t more =
          send(socket, response.data() + sent, response.size() - sent, MSG_NOSIGNAL);
      if (more <= 0) return;
      sent += static_cast<size_t>(more);
    }
    if (!response.empty()) continue;
    shutdown(socket, SHUT_RDWR);
    return;
  }
}

std::string HttpResponse(const std::string& status, const std::string& body,
                         const std::string& headers) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

}  // namespace hone
