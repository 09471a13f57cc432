// Reward workers in processes of their own: they join, are killed, leave and are refused, and the
// run ends in the same bits.
#include <arpa/inet.h>
#include <sys/socket.h>

#include <memory>

#include "small_run.h"

namespace hone {
namespace {

// A port of this machine that nobody listens at.
int FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

// `hone worker` in a folder of its own.
class Judge {
 public:
  explicit Judge(const std::string& address, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"worker", "--connect", address, "--role", "reward"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    child_ = place_.Start(arguments);
  }
  ~Judge() {
    if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
  }

  void Signal(int signal) const { ::kill(child_, signal); }
  Outcome Wait() { return place_.Wait(std::exchange(child_, -1)); }
  // Groups that it scored, once the run is over.
  int64_t Groups() {
    const Outcome outcome = Wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    if (outcome.exit_code != 0) return -1;
    return nlohmann::json::parse(outcome.out).at("groups");
  }
  // Waits until the file is in its folder.
  void Await(const std::string& file) const {
    for (int i = 0; i < 6000 && !fs::exists(place_ / file); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(fs::exists(place_ / file)) << Slurp(place_ / "stderr");
  }

 private:
  Workplace place_;
  pid_t child_ = -1;
};

struct RemoteWorkerTest : ::testing::Test {
  static void SetUpTestSuite() {
    run = new SmallRun(2);
    // Slow enough to be caught at work; says where it works.
    run->place.Write("slow.sh",
                     "#!/bin/sh\nwhile IFS= read -r line; do\n  : > judging\n  sleep 0.05\n"
                     "  echo \"{\\\"reward\\\": 0.${#line}}\"\ndone\n");
    fs::permissions(run->place / "slow.sh", fs::perms::owner_all);
    run->place.Write("slow.toml", Slurp(run->place / "grpo.toml") +
                                      "[[reward]]\nverifier = \"./slow.sh\"\n[transport]\n"
                                      "reward_workers = 0\nheartbeat_s = 5\n");
    run->Train("base");
    Train("slow_base", {"--set", "transport.reward_workers=2"});
  }
  static void TearDownTestSuite() {
    delete run;
    run = nullptr;
  }
  static void Train(const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(), {"train", "slow.toml", "--set", "run.name=" + name});
    run->place.Ok(more);
  }
  static std::string Ipc() { return "ipc://" + (run->place / "door").string(); }
  static std::string Tcp() { return "tcp://127.0.0.1:" + std::to_string(FreePort()); }
  static uint64_t Reissued(const std::string& name) {
    uint64_t reissued = 0;
    for (const auto& line : run->Lines(name, "ledger.jsonl")) {
      if (line.contains("verdicts")) continue;  // what a clock bounds
      reissued += line.at("reissued").get<uint64_t>();
    }
    return reissued;
  }

  static SmallRun* run;
};
SmallRun* RemoteWorkerTest::run = nullptr;

TEST_F(RemoteWorkerTest, WhoeverJudgesTheBitsAreTheSame) {
  for (const std::string kind : {"ipc", "tcp"}) {
    const std::string address = kind == "ipc" ? Ipc() : Tcp();
    const std::vector<std::string> bind = {"--set", "transport.bind=" + address, "--set"};
    Judge alone(address);
    auto none_of_its_own = bind;
    none_of_its_own.push_back("transport.reward_workers=0");
    run->Train(kind + "_one", none_of_its_own);
    EXPECT_EQ(alone.Groups(), 16);
    run->ExpectSame("base", kind + "_one");

    Judge first(address), second(address), third(address);
    auto three_more = bind;
    three_more.push_back("transport.reward_workers=1");
    Train(kind + "_three", three_more);  // slow enough for all of them to join
    EXPECT_LE(first.Groups() + second.Groups() + third.Groups(), 16);
    run->ExpectSame("slow_base", kind + "_three");
  }
}

TEST_F(RemoteWorkerTest, KilledAtWorkItsGroupsGoToAnother) {
  const std::string address = Ipc();
  auto victim = std::make_unique<Judge>(address);
  const pid_t train = run->place.Start(
      {"train", "slow.toml", "--set", "run.name=killed", "--set", "transport.bind=" + address});
  victim->Await("judging");
  victim->Signal(SIGKILL);
  EXPECT_EQ(victim->Wait().exit_code, -SIGKILL);
  Judge heir(address);  // joins in the middle
  const Outcome outcome = run->place.Wait(train);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GT(heir.Groups(), 0);
  EXPECT_GE(Reissued("killed"), 1u);
  run->ExpectSame("slow_base", "killed");
}

TEST_F(RemoteWorkerTest, ToldToStopItGivesItsGroupsBack) {
  const std::string address = Ipc();
  Judge leaver(address);
  // Silence would be noticed after the test's own limit.
  const pid_t train =
      run->place.Start({"train", "slow.toml", "--set", "run.name=left", "--set",
                        "transport.bind=" + address, "--set", "transport.heartbeat_s=3600"});
  leaver.Await("judging");
  leaver.Signal(SIGTERM);
  const Outcome left = leaver.Wait();
  EXPECT_EQ(left.exit_code, 130) << left.err;
  EXPECT_NE(left.err.find("what was in hand is given back"), std::string::npos) << left.err;
  Judge heir(address);
  const Outcome outcome = run->place.Wait(train);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GT(heir.Groups(), 0);
  EXPECT_GE(Reissued("left"), 1u);
  run->ExpectSame("slow_base", "left");
}

TEST_F(RemoteWorkerTest, ARunThatDiesIsNotWaitedForForEver) {
  const std::string address = Ipc();
  Judge judge(address, {"--timeout", "3"});
  const pid_t train = run->place.Start(
      {"train", "slow.toml", "--set", "run.name=died", "--set", "transport.bind=" + address});
  judge.Await("judging");
  ::kill(train, SIGKILL);
  run->place.Wait(train);
  const Outcome outcome = judge.Wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("said nothing for 3 s"), std::string::npos) << outcome.err;
}

TEST_F(RemoteWorkerTest, AWorkerThatCannotJudgeSaysWhyAndTheRunGoesOn) {
  const std::string address = Ipc();
  const std::string key = "reward.3.api_key_env=HONE_TEST_KEY";
  run->place.Write("keyed.toml", Slurp(run->place / "grpo.toml") +
                                     "[[reward]]\nverifier = \"http://127.0.0.1:1/score\"\n"
                                     "retries = 0\non_error = \"zero\"\n"
                                     "[[reward]]\nverifier = \"./slow.sh\"\n");
  Judge judge(address);
  const Outcome outcome =
      run->place.Run({"train", "keyed.toml", "--set", "run.name=keyed", "--set", key, "--set",
                      "transport.bind=" + address, "--set", "transport.reward_workers=1"},
                     {"HONE_TEST_KEY=secret"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const Outcome refused = judge.Wait();
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("HONE_TEST_KEY, which is not set"), std::string::npos) << refused.err;
  EXPECT_EQ(Slurp(run->Folder("keyed") / "config.toml").find("secret"), std::string::npos);
}

TEST_F(RemoteWorkerTest, WhereNoRunIsItSaysSo) {
  const Workplace place;
  const Outcome nobody =
      place.Run({"worker", "--connect", "ipc://nobody", "--role", "reward", "--timeout", "1"});
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_NE(nobody.err.find("no run answered at ipc://nobody within 1 s"), std::string::npos)
      << nobody.err;
  const Outcome role = place.Run({"worker", "--connect", "ipc://nobody", "--role", "king"});
  EXPECT_EQ(role.exit_code, 2) << role.err;
}

TEST_F(RemoteWorkerTest, OnlyThisMachineCanBeMeant) {
  for (const std::string address : {"tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://10.0.0.1:5555"}) {
    const Outcome train = run->place.Run(
        {"train", "grpo.toml", "--set", "run.name=wide", "--set", "transport.bind=" + address});
    EXPECT_EQ(train.exit_code, 2);
    EXPECT_NE(train.err.find("only this machine may reach it"), std::string::npos) << train.err;
    const Outcome worker = run->place.Run({"worker", "--connect", address, "--role", "reward"});
    EXPECT_EQ(worker.exit_code, 2);
    EXPECT_NE(worker.err.find("only this machine may reach it"), std::string::npos) << worker.err;
  }
  const Outcome nobody = run->place.Run(
      {"train", "grpo.toml", "--set", "run.name=wide", "--set", "transport.reward_workers=0"});
  EXPECT_EQ(nobody.exit_code, 2);
  EXPECT_NE(nobody.err.find("reward_workers"), std::string::npos) << nobody.err;
  EXPECT_FALSE(fs::exists(run->Folder("wide")));
}

// The addresses at which a process listens by TCP, as /proc has them: "0100007F:1F90".
std::set<std::string> ListensAt(pid_t process) {
  std::set<std::string> sockets, addresses;
  for (const auto& file : fs::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
    std::error_code closed_meanwhile;
    const std::string link = fs::read_symlink(file.path(), closed_meanwhile).string();
    if (link.starts_with("socket:[")) sockets.insert(link.substr(8, link.size() - 9));
  }
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::istringstream lines(Slurp(table));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string number, local, remote, state, queues, timer, retransmits, user, timeout, socket;
      words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
          timeout >> socket;
      if (state == "0A" && sockets.contains(socket)) addresses.insert(local);
    }
  }
  return addresses;
}

TEST_F(RemoteWorkerTest, ARunListensWhereItsConfigSaysAndNowhereElse) {
  const int port = FreePort();
  char bound[16];
  std::snprintf(bound, sizeof(bound), "0100007F:%04X", port);
  const std::string tcp = "tcp://127.0.0.1:" + std::to_string(port);
  for (const std::string& bind : {std::string(), tcp}) {
    const std::string name = bind.empty() ? "closed" : "open";
    const pid_t train =
        run->place.Start({"train", "grpo.toml", "--set", "run.name=" + name, "--set",
                          "run.steps=100000", "--set", "transport.bind=" + bind});
    const fs::path trace = run->Folder(name) / "traces/step-000002.jsonl.zst";
    for (int i = 0; i < 6000 && !fs::exists(trace); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(ListensAt(train),
              bind.empty() ? std::set<std::string>{} : std::set<std::string>{bound});
    ::kill(train, SIGINT);
    EXPECT_EQ(run->place.Wait(train).exit_code, 130);
  }
}

}  // namespace
}  // namespace hone
