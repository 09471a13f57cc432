#include "transport/socket.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace hone {
namespace {

// What send_multipart came to.
enum class Sent { kAll, kLater, kGone };

void Configure(zmq::socket_t& socket, const std::string& address, const SocketOptions& options) {
  socket.set(zmq::sockopt::linger, static_cast<int>(options.linger.count()));
  socket.set(zmq::sockopt::ipv6, address.starts_with("tcp://["));
  socket.set(zmq::sockopt::maxmsgsize, options.max_frame_bytes);
}

bool WaitReadable(std::vector<zmq::pollitem_t> items, std::chrono::milliseconds wait) {
  const auto bounded = std::clamp(wait, std::chrono::milliseconds{0}, kSlice);
  try {
    return zmq::poll(items, bounded) > 0;
  } catch (const zmq::error_t& error) {
    if (error.num() == EINTR) return false;
    throw;
  }
}

zmq::pollitem_t Readable(zmq::socket_t& socket) { return {socket.handle(), 0, ZMQ_POLLIN, 0}; }

// All frames of a message that is there; those past kMaxFrames are read and thrown away.
std::optional<Frames> ReceiveNow(zmq::socket_t& socket, size_t max_frames) {
  Frames frames;
  bool more = true;
  while (more) {
    zmq::message_t frame;
    try {
      if (!socket.recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
    } catch (const zmq::error_t& error) {
      if (error.num() == EINTR) continue;
      throw;
    }
    more = frame.more();
    if (frames.size() < max_frames) frames.push_back(std::move(frame));
  }
  return frames;
}

Sent SendFrame(zmq::socket_t& socket, zmq::message_t& frame, bool more) {
  const auto flags =
      more ? zmq::send_flags::dontwait | zmq::send_flags::sndmore : zmq::send_flags::dontwait;
  for (;;) {
    try {
      return socket.send(frame, flags) ? Sent::kAll : Sent::kLater;
    } catch (const zmq::error_t& error) {
      if (error.num() == EINTR) continue;
      if (error.num() == EHOSTUNREACH) return Sent::kGone;
      throw;
    }
  }
}

// Only the first frame of a message can be refused: once it is taken, the pipe takes the rest.
Sent SendMessage(zmq::socket_t& socket, const std::string* peer, Frames& frames) {
  if (peer != nullptr) {
    zmq::message_t identity(peer->data(), peer->size());
    const Sent sent = SendFrame(socket, identity, true);
    if (sent != Sent::kAll) return sent;
  }
  for (size_t i = 0; i < frames.size(); ++i) {
    const Sent sent = SendFrame(socket, frames[i], i + 1 < frames.size());
    if (sent == Sent::kAll) continue;
    if (i == 0 && peer == nullptr) return sent;
    // The peer went away between two frames.
    return Sent::kGone;
  }
  return Sent::kAll;
}

}  // namespace

void CheckZmqVersion() {
  int major = 0, minor = 0, patch = 0;
  zmq_version(&major, &minor, &patch);
  if (std::tie(major, minor, patch) >= std::tuple(4, 3, 4)) return;
  throw RunError("libzmq 4.3.4 or newer is needed, found " + std::to_string(major) + "." +
                 std::to_string(minor) + "." + std::to_string(patch) +
                 ": older ones have known holes; install a newer libzmq");
}

RouterSocket::RouterSocket(zmq::context_t& context, const std::string& address,
                           const SocketOptions& options)
    : address_(address), socket_(context, zmq::socket_type::router) {
  Configure(socket_, address, options);
  socket_.set(zmq::sockopt::router_mandatory, true);
  try {
    socket_.bind(address);
  } catch (const zmq::error_t& error) {
    throw RunError("cannot listen at " + address + ": " + error.what());
  }
}

RouterSocket::~RouterSocket() {
  // libzmq leaves the file where it is. A wildcard or an abstract name ('@') has none at that path.
  constexpr std::string_view kIpc = "ipc://";
  socket_.close();
  if (!address_.starts_with(kIpc)) return;
  std::error_code ignored;  // nothing depends on it: the next to bind there replaces the file
  std::filesystem::remove(address_.substr(kIpc.size()), ignored);
}

void RouterSocket::Wait(std::span<RouterSocket* const> sockets, std::chrono::milliseconds wait) {
  std::vector<zmq::pollitem_t> items;
  for (RouterSocket* socket : sockets) items.push_back(Readable(socket->socket_));
  WaitReadable(std::move(items), wait);
}

std::optional<RouterSocket::Received> RouterSocket::Receive(std::chrono::milliseconds wait) {
  if (!WaitReadable({Readable(socket_)}, wait)) return std::nullopt;
  std::optional<Frames> frames = ReceiveNow(socket_, kMaxFrames + 1);
  if (!frames) return std::nullopt;
  Received received{frames->front().to_string(), {}};
  std::move(frames->begin() + 1, frames->end(), std::back_inserter(received.frames));
  return received;
}

void RouterSocket::Send(const std::string& peer, Frames frames) {
  outboxes_[peer].push_back(std::move(frames));
}

std::vector<std::string> RouterSocket::Flush() {
  std::vector<std::string> gone;
  for (auto box = outboxes_.begin(); box != outboxes_.end();) {
    auto& [peer, messages] = *box;
    Sent sent = Sent::kAll;
    while (!messages.empty() && sent == Sent::kAll) {
      sent = SendMessage(socket_, &peer, messages.front());
      if (sent == Sent::kAll) messages.pop_front();
    }
    if (sent == Sent::kGone) gone.push_back(peer);
    box = messages.empty() || sent == Sent::kGone ? outboxes_.erase(box) : std::next(box);
  }
  return gone;
}

DealerSocket::DealerSocket(zmq::context_t& context, const std::string& address,
                           const std::string& identity, const SocketOptions& options)
    : socket_(context, zmq::socket_type::dealer) {
  Configure(socket_, address, options);
  socket_.set(zmq::sockopt::routing_id, identity);
  try {
    socket_.connect(address);
  } catch (const zmq::error_t& error) {
    throw RunError("cannot connect to " + address + ": " + error.what());
  }
}

std::optional<Frames> DealerSocket::Receive(std::chrono::milliseconds wait) {
  Flush();
  // Nothing tells when the outbox may go on: look again soon.
  const auto bounded = outbox_.empty() ? wait : std::min(wait, std::chrono::milliseconds{1});
  if (!WaitReadable({Readable(socket_)}, bounded)) return std::nullopt;
  return ReceiveNow(socket_, kMaxFrames);
}

void DealerSocket::Send(Frames frames) {
  outbox_.push_back(std::move(frames));
  Flush();
}

void DealerSocket::Flush() {
  while (!outbox_.empty()) {
    if (SendMessage(socket_, nullptr, outbox_.front()) != Sent::kAll) return;
    outbox_.pop_front();
  }
}

}  // namespace hone
