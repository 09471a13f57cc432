#include "transport/socket.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "example_messages.h"

namespace hone {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// The same code path whatever the address.
class SocketTest : public testing::TestWithParam<const char*> {
 protected:
  std::string Address() const {
    if (std::string(GetParam()) == "inproc") return "inproc://socket_test";
    return "ipc:///tmp/hone-socket-test-" + std::to_string(getpid());
  }

  static RouterSocket::Received Await(RouterSocket& router) {
    const auto deadline = Clock::now() + seconds(10);
    while (Clock::now() < deadline) {
      router.Flush();
      if (auto received = router.Receive(kSlice)) return std::move(*received);
    }
    throw RunError("nothing came to the router");
  }

  static Frames Await(DealerSocket& dealer) {
    const auto deadline = Clock::now() + seconds(10);
    while (Clock::now() < deadline) {
      if (auto frames = dealer.Receive(kSlice)) return std::move(*frames);
    }
    throw RunError("nothing came to the dealer");
  }

  zmq::context_t context_;
};

TEST_P(SocketTest, CarriesMessagesBothWays) {
  RouterSocket router(context_, Address(), {});
  DealerSocket dealer(context_, Address(), "worker-0", {});
  dealer.Send(Encode(ExampleRollout()));
  auto received = Await(router);
  EXPECT_EQ(received.peer, "worker-0");
  EXPECT_EQ(std::get<RolloutGroup>(Decode(received.frames)).task.group_id, 41u);
  router.Send("worker-0", Encode(ExampleTask()));
  EXPECT_TRUE(router.Flush().empty());
  Frames answer = Await(dealer);
  EXPECT_EQ(std::get<PromptTask>(Decode(answer)).prompt, "1+1=");
}

TEST_P(SocketTest, KeepsTheOrderOfOnePair) {
  RouterSocket router(context_, Address(), {});
  DealerSocket dealer(context_, Address(), "worker-0", {});
  // More than the default high-water mark of 1,000: the rest waits in the outbox.
  for (uint64_t i = 0; i < 3000; ++i) dealer.Send(Encode(Trained{i}));
  uint64_t next = 0;
  const auto deadline = Clock::now() + seconds(10);
  while (next < 3000 && Clock::now() < deadline) {
    dealer.Flush();
    auto received = router.Receive(milliseconds(1));
    if (!received) continue;
    ASSERT_EQ(std::get<Trained>(Decode(received->frames)).step, next);
    ++next;
  }
  EXPECT_EQ(next, 3000u);
  EXPECT_TRUE(dealer.outbox_empty());
}

TEST_P(SocketTest, OneFullPeerDoesNotHoldUpAnother) {
  RouterSocket router(context_, Address(), {});
  DealerSocket slow(context_, Address(), "slow", {});
  DealerSocket quick(context_, Address(), "quick", {});
  slow.Send(Encode(Hello{"rollout_worker"}));
  quick.Send(Encode(Hello{"rollout_worker"}));
  Await(router);
  Await(router);
  // The slow one reads nothing while far more than any queue holds is sent to it.
  const std::string text(1000, 'x');
  for (int i = 0; i < 5000; ++i) router.Send("slow", Encode(Stop{text}));
  EXPECT_TRUE(router.Flush().empty());
  router.Send("quick", Encode(Trained{1}));
  EXPECT_TRUE(router.Flush().empty());
  Frames frames = Await(quick);
  EXPECT_EQ(std::get<Trained>(Decode(frames)).step, 1u);
  const auto deadline = Clock::now() + seconds(10);
  int read = 0;
  while (read < 5000 && Clock::now() < deadline) {
    router.Flush();
    if (slow.Receive(milliseconds(1))) ++read;
  }
  EXPECT_EQ(read, 5000);
}

TEST_P(SocketTest, NamesAPeerThatIsGone) {
  RouterSocket router(context_, Address(), {});
  router.Send("nobody", Encode(Trained{1}));
  EXPECT_EQ(router.Flush(), std::vector<std::string>{"nobody"});
  auto dealer = std::make_unique<DealerSocket>(context_, Address(), "worker-0", SocketOptions{});
  dealer->Send(Encode(Hello{"rollout_worker"}));
  Await(router);
  dealer.reset();
  const auto deadline = Clock::now() + seconds(10);
  std::vector<std::string> gone;
  while (gone.empty() && Clock::now() < deadline) {
    router.Send("worker-0", Encode(Trained{1}));
    gone = router.Flush();
    router.Receive(milliseconds(1));  // lets the socket see that the peer left
  }
  EXPECT_EQ(gone, std::vector<std::string>{"worker-0"});
}

TEST_P(SocketTest, WaitsNoLongerThanASlice) {
  RouterSocket router(context_, Address(), {});
  const auto start = Clock::now();
  EXPECT_FALSE(router.Receive(seconds(10)));
  EXPECT_LT(Clock::now() - start, seconds(2));
}

TEST_P(SocketTest, WeightsArriveWhole) {
  RouterSocket router(context_, Address(), {});
  DealerSocket learner(context_, Address(), "learner", {});
  DealerSocket worker(context_, Address(), "worker-0", {});
  worker.Send(Encode(Hello{"rollout_worker"}));
  Await(router);
  const auto weights = ExampleWeights(1 << 20);
  learner.Send(Encode(WeightsUpdate{weights}));
  auto received = Await(router);
  router.Send("worker-0", std::move(received.frames));
  router.Flush();
  Frames frames = Await(worker);
  const auto update = std::get<WeightsUpdate>(Decode(frames));
  EXPECT_TRUE(std::equal(weights->data.begin(), weights->data.end(), update.weights->data.begin(),
                         update.weights->data.end()));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(update.weights->data.data()) % 64, 0u);
}

INSTANTIATE_TEST_SUITE_P(Addresses, SocketTest, testing::Values("inproc", "ipc"),
                         [](const auto& address) { return std::string(address.param); });

// The learner's own memory is what every worker samples from.
TEST(SocketZeroCopyTest, WorkersSeeTheLearnersMemoryThroughTheBroker) {
  zmq::context_t context;
  RouterSocket broker(context, "inproc://broker", {});
  DealerSocket learner(context, "inproc://broker", "learner", {});
  auto weights = ExampleWeights(100000);
  const float* memory = weights->data.data();
  const std::weak_ptr<const Weights> alive = weights;
  learner.Send(Encode(WeightsUpdate{std::move(weights)}));
  {
    auto update = broker.Receive(kSlice);
    ASSERT_TRUE(update);
    // Three workers on threads of their own, each given the same frames.
    std::vector<const float*> seen(3, nullptr);
    std::vector<std::thread> workers;
    for (int i = 0; i < 3; ++i) {
      workers.emplace_back([&, i] {
        DealerSocket worker(context, "inproc://broker", "worker-" + std::to_string(i), {});
        worker.Send(Encode(Hello{"rollout_worker"}));
        for (int wait = 0; wait < 500 && seen[i] == nullptr; ++wait) {
          auto frames = worker.Receive(kSlice);
          if (frames) seen[i] = std::get<WeightsUpdate>(Decode(*frames)).weights->data.data();
        }
      });
    }
    for (int greeted = 0, wait = 0; greeted < 3 && wait < 500; ++wait) {
      auto hello = broker.Receive(kSlice);
      if (!hello) continue;
      broker.Send(hello->peer, Share(update->frames));
      broker.Flush();
      ++greeted;
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(seen, std::vector<const float*>(3, memory));
    EXPECT_FALSE(alive.expired());
  }
  for (int wait = 0; wait < 100 && !alive.expired(); ++wait) broker.Receive(milliseconds(10));
  EXPECT_TRUE(alive.expired());
}

TEST(SocketLimitTest, APeerThatSendsTooMuchIsCutOff) {
  zmq::context_t context;
  const std::string address = "ipc:///tmp/hone-socket-limit-" + std::to_string(getpid());
  RouterSocket router(context, address, {.max_frame_bytes = 1 << 16});
  DealerSocket greedy(context, address, "greedy", {});
  DealerSocket modest(context, address, "modest", {});
  greedy.Send(Encode(Stop{std::string(1 << 20, 'x')}));
  modest.Send(Encode(Hello{"rollout_worker"}));
  std::vector<std::string> heard;
  for (int i = 0; i < 50; ++i) {
    if (auto received = router.Receive(kSlice)) heard.push_back(received->peer);
  }
  EXPECT_EQ(heard, std::vector<std::string>{"modest"});
}

TEST(SocketErrorTest, LeavesNoFileBehind) {
  zmq::context_t context;
  const std::string path = "/tmp/hone-socket-file-" + std::to_string(getpid());
  {
    RouterSocket router(context, "ipc://" + path, {});
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SocketErrorTest, AnAddressInUseIsNamed) {
  zmq::context_t context;
  RouterSocket first(context, "inproc://taken", {});
  try {
    RouterSocket second(context, "inproc://taken", {});
    FAIL() << "bound twice";
  } catch (const RunError& error) {
    EXPECT_NE(std::string(error.what()).find("inproc://taken"), std::string::npos);
  }
}

}  // namespace
}  // namespace hone
