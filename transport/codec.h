// Messages to frames and back. Bytes that came off a socket are hostile until decoded.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "common/error.h"
#include "transport/messages.h"

namespace hone {

// The parts of one message on the wire.
using Frames = std::vector<zmq::message_t>;

// Bytes that are no message: truncated, of another schema, or saying what cannot be.
struct WireError : RunError {
  explicit WireError(const std::string& message)
      : RunError("a message that cannot be read: " + message) {}
};

// Of the wire format; both sides must have the same.
inline constexpr uint32_t kSchemaVersion = 4;

// One frame that holds the table; for WeightsUpdate a second one that lends out weights->data (no
// copy: the frame keeps the weights alive until its last reader lets go, on whatever thread that
// is).
Frames Encode(const Message& message);

// Verifies, then unpacks. What it allocates is bounded by a small multiple of the frame's size: an
// encoder stores nothing twice, so a frame that refers to the same bytes again and again is
// refused. Weights point into the second frame, of which the result holds a reference, when that is
// 64-byte aligned (always over inproc://), else into one aligned copy. The frames stay usable: to
// be forwarded. Throws WireError, and nothing else but std::bad_alloc.
// With kLeave the tensors stay in their frame (weights->data is empty): for who only forwards them.
enum class Tensors { kTake, kLeave };
Message Decode(std::span<zmq::message_t> frames, Tensors tensors = Tensors::kTake);

// References to the same frames, for another receiver. Nothing is copied but frames of a few bytes.
Frames Share(std::span<zmq::message_t> frames);

}  // namespace hone
