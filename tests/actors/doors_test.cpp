#include "actors/doors.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "tiny_ring.h"

namespace hone {
namespace {

using std::chrono::milliseconds;

class DoorsTest : public testing::Test {
 protected:
  static std::optional<RouterSocket::Received> Await(Doors& doors, int tries = 500) {
    for (int i = 0; i < tries; ++i) {
      if (auto received = doors.Receive(kSlice)) return received;
    }
    return std::nullopt;
  }

  TemporaryFolder folder_;
  std::string inside_ = "inproc://inside";
  std::string outside_ = "ipc://" + (folder_.path() / "door").string();
  zmq::context_t context_;
};

TEST_F(DoorsTest, TheSameNameInsideAndOutsideIsTwoPeers) {
  Doors doors(context_, inside_, outside_, {});
  DealerSocket worker(context_, inside_, "judge", {}), remote(context_, outside_, "judge", {});
  worker.Send(Encode(Hello{"inside"}));
  EXPECT_EQ(Await(doors)->peer, "judge");
  remote.Send(Encode(Hello{"outside"}));
  EXPECT_EQ(Await(doors)->peer, "remote/judge");
  EXPECT_FALSE(Doors::IsOutside("judge"));
  EXPECT_TRUE(Doors::IsOutside("remote/judge"));
  doors.Send("remote/judge", Encode(Stop{"to the remote one"}));
  EXPECT_TRUE(doors.Flush().empty());
  std::optional<Frames> frames;
  for (int i = 0; i < 500 && !frames; ++i) frames = remote.Receive(kSlice);
  EXPECT_EQ(std::get<Stop>(Decode(*frames)).reason, "to the remote one");
  EXPECT_FALSE(worker.Receive(milliseconds(0)));
  doors.Send("remote/nobody", Encode(Stop{"?"}));
  EXPECT_EQ(doors.Flush(), std::vector<std::string>{"remote/nobody"});
}

TEST_F(DoorsTest, WhatIsNoNameIsNotHeard) {
  Doors doors(context_, inside_, outside_, {});
  for (const std::string& name : {std::string("\x1b[31mred"), std::string("a b"),
                                  std::string("../up"), std::string(201, 'x')}) {
    DealerSocket stranger(context_, outside_, name, {});
    stranger.Send(Encode(Hello{"reward_worker"}));
    EXPECT_FALSE(Await(doors, 10)) << name;
  }
}

TEST_F(DoorsTest, NothingIsOpenedThatOthersCouldReach) {
  EXPECT_THROW(Doors(context_, inside_, "tcp://0.0.0.0:5555", {}), UsageError);
  Doors closed(context_, "inproc://other", "", {});
  EXPECT_FALSE(closed.Receive(milliseconds(0)));
}

}  // namespace
}  // namespace hone
