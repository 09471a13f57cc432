// The broker against workers that this test plays: strangers, the silent, and nonsense.
#include "actors/broker.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/error.h"
#include "common/file.h"
#include "common/version.h"
#include "tiny_ring.h"

namespace hone {
namespace {

using std::chrono::milliseconds;

class BrokerTest : public testing::Test {
 protected:
  void Start(const RingDeadlines& deadlines = {}) {
    RunOptions options = tiny_.Options("run");
    options.deadlines = deadlines;
    options.resume = ring_ != nullptr;
    options.config.transport.bind = Outside();
    options.reward_tables = "[[reward]]\nverifier = \"random\"\n";
    ring_ = MakeRing(options);
    BrokerEvents events;
    events.batch_closed = [this](uint64_t batch) { closed_.push_back(batch); };
    events.delivered = [this](const std::string& who) { delivered_.push_back(who); };
    events.lost = [this](const std::string& who, const std::string& why) {
      lost_.push_back(who + ": " + why);
    };
    events.weights_refused = [](const std::string&, const std::string&) {};
    broker_ = std::make_unique<Broker>(ring_, events);
  }

  DealerSocket Connect(const std::string& identity, const std::string& role) {
    DealerSocket socket(ring_->context, ring_->options.address, identity, {});
    if (!role.empty()) socket.Send(Encode(Hello{role}));
    return socket;
  }

  std::string Outside() const { return "ipc://" + (tiny_.path() / "door").string(); }

  // A socket of another process, which says hello if it has a role.
  DealerSocket ConnectOutside(const std::string& identity, const std::string& role = "",
                              const std::string& version = Version()) {
    DealerSocket socket(ring_->context, Outside(), identity, {});
    if (!role.empty()) socket.Send(Encode(Hello{role, version}));
    return socket;
  }

  // A reward worker of another process that asks for `credit` groups.
  DealerSocket RemoteJudge(const std::string& identity, uint32_t credit) {
    DealerSocket judge = ConnectOutside(identity, kRewardWorker);
    EXPECT_TRUE(std::holds_alternative<Welcome>(Next(judge).value()));
    judge.Send(Encode(Credit{credit}));
    return judge;
  }

  std::string Refusal(DealerSocket& socket) {
    const auto message = Next(socket);
    const auto* refused = message ? std::get_if<Refused>(&*message) : nullptr;
    return refused == nullptr ? "it was not refused" : refused->text;
  }

  // Five groups that wait for a reward worker.
  void Generate(DealerSocket& learner, DealerSocket& source) {
    Issue(learner, source);
    DealerSocket worker = RolloutWorker("worker", 5);
    for (int i = 0; i < 5; ++i) {
      worker.Send(Encode(AnswerTo(std::get<PromptTask>(Next(worker).value()))));
    }
    Turn();
  }

  // The next message, while the broker turns.
  std::optional<Message> Next(DealerSocket& socket, int slices = 100) {
    for (int i = 0; i < slices; ++i) {
      broker_->Slice();
      if (auto frames = socket.Receive(milliseconds(1))) return Decode(*frames);
    }
    return std::nullopt;
  }

  void Turn(int slices = 5) {
    for (int i = 0; i < slices; ++i) broker_->Slice();
  }

  // The learner asks for one batch, the prompt source issues it.
  void Issue(DealerSocket& learner, DealerSocket& source) {
    learner.Send(Encode(WeightsUpdate{ring_->session->weights()}));
    learner.Send(Encode(BatchCredit{0, 0, 0, 5}));
    const auto credit = std::get<BatchCredit>(Next(source).value());
    EXPECT_EQ(credit.groups, 5u);
    for (uint64_t group = 0; group < 5; ++group) source.Send(Encode(TaskOf(group)));
  }

  static PromptTask TaskOf(uint64_t group) { return {group, 0, 0, 3, {5, 6}, "p", "{}"}; }

  RolloutGroup AnswerTo(const PromptTask& task) const {
    const Completion sample{
        {9, 1}, {-1, -2}, {1, 2}, FinishReason::kStop, 0, ring_->session->weights()->fingerprint};
    return {task, std::vector<Completion>(3, sample)};
  }

  static ScoredGroup ScoreOf(RolloutGroup group) {
    return {std::move(group), {"random"}, {{1, 0, 1}}, {1, 0, 1}, {}};
  }

  // A rollout worker that holds the weights and asks for `credit` groups.
  DealerSocket RolloutWorker(const std::string& identity, uint32_t credit) {
    DealerSocket worker = Connect(identity, kRolloutWorker);
    EXPECT_TRUE(std::holds_alternative<WeightsUpdate>(Next(worker).value()));
    worker.Send(Encode(WeightsHeld{0}));
    worker.Send(Encode(Credit{credit}));
    return worker;
  }

  TinyRing tiny_;
  std::shared_ptr<Ring> ring_;
  std::unique_ptr<Broker> broker_;
  std::vector<uint64_t> closed_;
  std::vector<std::string> delivered_, lost_;
};

TEST_F(BrokerTest, TheLearnerGetsTheBatchInOrderOfGroup) {
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Issue(learner, source);
  DealerSocket worker = RolloutWorker("worker", 5);
  DealerSocket judge = Connect("judge", kRewardWorker);
  judge.Send(Encode(Credit{5}));
  std::vector<PromptTask> tasks;
  while (tasks.size() < 5) tasks.push_back(std::get<PromptTask>(Next(worker).value()));
  for (auto task = tasks.rbegin(); task != tasks.rend(); ++task)
    worker.Send(Encode(AnswerTo(*task)));
  std::vector<RolloutGroup> groups;
  while (groups.size() < 5) groups.push_back(std::get<RolloutGroup>(Next(judge).value()));
  // Not in order, and one of them twice.
  for (const size_t i : {3, 0, 4, 3, 2, 1}) judge.Send(Encode(ScoreOf(groups[i])));
  const auto message = std::get<BatchMessage>(Next(learner).value());
  ASSERT_EQ(message.batch.groups.size(), 5u);
  for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(message.batch.groups[i].rollout.task.group_id, i);
  EXPECT_GT(message.times.rollout, 0);
  learner.Send(Encode(Trained{0}));
  Turn();
  EXPECT_EQ(closed_, std::vector<uint64_t>{0});
  EXPECT_EQ(CheckedLedger(ring_->options.folder, 5).duplicates, 1u);
  EXPECT_TRUE(lost_.empty());
}

// Reward workers that take their time hold up nobody before the credit for the batch is used up.
TEST_F(BrokerTest, GenerationGoesOnWhileNothingIsScored) {
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Issue(learner, source);
  DealerSocket judge = Connect("judge", kRewardWorker);
  judge.Send(Encode(Credit{1}));
  DealerSocket worker = RolloutWorker("worker", 1);
  for (uint64_t group = 0; group < 5; ++group) {
    const auto task = std::get<PromptTask>(Next(worker).value());
    EXPECT_EQ(task.group_id, group);
    worker.Send(Encode(AnswerTo(task)));
    worker.Send(Encode(Credit{1}));
  }
  EXPECT_EQ(std::get<RolloutGroup>(Next(judge).value()).task.group_id, 0u);
  EXPECT_FALSE(Next(judge, 5));  // it asked for one
}

TEST_F(BrokerTest, TheFirstVerdictsThatAreAcceptedAreTheLedgersAndGoWithTheGroupAfterAKill) {
  const auto verdicts = [](double reward) {
    return std::vector<VerdictRecord>{
        {"random", {1, 2}, {{reward}, {0, "no answer", ErrorCause::kTimeout}, {1}}}};
  };
  Start();
  {
    DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
    Issue(learner, source);
    DealerSocket worker = RolloutWorker("worker", 5);
    worker.Send(Encode(AnswerTo(std::get<PromptTask>(Next(worker).value()))));
    DealerSocket late = Connect("late", kRewardWorker);
    late.Send(Encode(Credit{1}));
    ScoredGroup group = ScoreOf(std::get<RolloutGroup>(Next(late).value()));
    broker_->WorkerDown("late", "killed");
    DealerSocket judge = Connect("judge", kRewardWorker);
    judge.Send(Encode(Credit{1}));
    ASSERT_TRUE(std::holds_alternative<RolloutGroup>(Next(judge).value()));
    group.records = verdicts(0.25);
    judge.Send(Encode(group));
    Turn();
    group.records = verdicts(0.75);
    late.Send(Encode(group));
    judge.Send(Encode(group));
    Turn();
  }
  broker_.reset();
  EXPECT_EQ(ReadFile(ring_->options.folder / "ledger.jsonl"),
            LedgerText(0, verdicts(0.25)[0]) + "\n");
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Issue(learner, source);
  DealerSocket worker = RolloutWorker("worker", 5);
  for (int i = 0; i < 2; ++i) {
    worker.Send(Encode(AnswerTo(std::get<PromptTask>(Next(worker).value()))));
  }
  DealerSocket judge = Connect("judge", kRewardWorker);
  judge.Send(Encode(Credit{2}));
  const auto known = std::get<KnownVerdicts>(Next(judge).value());
  EXPECT_EQ(known.group_id, 0u);
  EXPECT_EQ(known.records, verdicts(0.25));
  EXPECT_EQ(std::get<RolloutGroup>(Next(judge).value()).task.group_id, 0u);
  EXPECT_EQ(std::get<RolloutGroup>(Next(judge).value()).task.group_id, 1u);
}

TEST_F(BrokerTest, NobodyGetsMoreThanItAskedFor) {
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Issue(learner, source);
  DealerSocket worker = RolloutWorker("worker", 2);
  EXPECT_EQ(std::get<PromptTask>(Next(worker).value()).group_id, 0u);
  EXPECT_EQ(std::get<PromptTask>(Next(worker).value()).group_id, 1u);
  EXPECT_FALSE(Next(worker, 5));
  DealerSocket no_weights = Connect("late", kRolloutWorker);
  no_weights.Send(Encode(Credit{5}));
  EXPECT_TRUE(std::holds_alternative<WeightsUpdate>(Next(no_weights).value()));
  EXPECT_FALSE(Next(no_weights, 5));  // it has not said that it holds them
}

TEST_F(BrokerTest, ASilentWorkersGroupsGoToAnother) {
  Start({.heartbeat = 0.3});
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Issue(learner, source);
  DealerSocket silent = RolloutWorker("silent", 2);
  EXPECT_EQ(std::get<PromptTask>(Next(silent).value()).group_id, 0u);
  while (lost_.empty() || lost_.back().find("silent") != 0) {
    Turn();
    source.Send(Encode(Heartbeat{0, "lives"}));
  }
  DealerSocket other = RolloutWorker("other", 5);
  std::vector<uint64_t> groups;
  while (auto message = Next(other)) {
    groups.push_back(std::get<PromptTask>(*message).group_id);
    source.Send(Encode(Heartbeat{0, "lives"}));
    if (groups.size() == 5) break;
  }
  EXPECT_EQ(groups, (std::vector<uint64_t>{0, 1, 2, 3, 4}));
  // The silent one speaks again: it is not heard.
  silent.Send(Encode(AnswerTo(TaskOf(0))));
  silent.Send(Encode(Hello{kRolloutWorker}));
  Turn();
  EXPECT_TRUE(delivered_ == std::vector<std::string>{"source"});
}

TEST_F(BrokerTest, NonsenseOfAStrangerChangesNothing) {
  Start();
  DealerSocket stranger = Connect("stranger", "");
  Frames garbage;
  garbage.emplace_back("garbage", 7);
  stranger.Send(std::move(garbage));
  stranger.Send(Encode(Trained{0}));
  stranger.Send(Encode(Fault{ExitCode::kRunFailed, "stop it all"}));
  Turn();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Issue(learner, source);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(BrokerTest, AWorkerThatSendsNonsenseIsLost) {
  Start();
  DealerSocket garbler = Connect("garbler", kRewardWorker);
  Frames garbage;
  garbage.emplace_back("garbage", 7);
  garbler.Send(std::move(garbage));
  DealerSocket usurper = Connect("usurper", kRewardWorker);
  usurper.Send(Encode(Trained{0}));
  DealerSocket joker = Connect("joker", "king");
  Turn();
  ASSERT_EQ(lost_.size(), 3u);
  std::sort(lost_.begin(), lost_.end());  // there is no order between sockets
  EXPECT_NE(lost_[0].find("garbler: a message that cannot be read"), std::string::npos) << lost_[0];
  EXPECT_NE(lost_[1].find("joker: it says hello as king"), std::string::npos) << lost_[1];
  EXPECT_NE(lost_[2].find("usurper: a message that"), std::string::npos) << lost_[2];
}

TEST_F(BrokerTest, SamplesOfOtherWeightsAreRefused) {
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Issue(learner, source);
  DealerSocket worker = RolloutWorker("worker", 1);
  RolloutGroup answer = AnswerTo(std::get<PromptTask>(Next(worker).value()));
  answer.completions[2].fingerprint.high ^= 1;
  worker.Send(Encode(answer));
  Turn();
  ASSERT_EQ(lost_.size(), 1u);
  EXPECT_NE(lost_[0].find("fingerprint"), std::string::npos);
}

TEST_F(BrokerTest, ANewPromptSourceIssuesOnlyWhatIsMissing) {
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  learner.Send(Encode(WeightsUpdate{ring_->session->weights()}));
  learner.Send(Encode(BatchCredit{0, 0, 0, 5}));
  Next(source);
  source.Send(Encode(TaskOf(0)));
  source.Send(Encode(TaskOf(1)));
  Turn();
  broker_->WorkerDown("source", "killed");
  DealerSocket next = Connect("source#1", kPromptSource);
  const auto credit = std::get<BatchCredit>(Next(next).value());
  EXPECT_EQ(credit.first_group, 2u);
  EXPECT_EQ(credit.groups, 3u);
}

TEST_F(BrokerTest, AWorkerOfAnotherProcessLearnsWhatItNeeds) {
  Start();
  DealerSocket judge = ConnectOutside("judge", kRewardWorker);
  const auto welcome = std::get<Welcome>(Next(judge).value());
  EXPECT_EQ(welcome.seed, 11u);
  EXPECT_EQ(welcome.rewards, ring_->options.reward_tables);
  EXPECT_EQ(welcome.tokenizer, ReadFile(tiny_.path() / "model/tokenizer.json"));
  judge.Send(Encode(Heartbeat{1, "lives"}));
  EXPECT_TRUE(std::holds_alternative<Heartbeat>(Next(judge).value()));
}

TEST_F(BrokerTest, WhoComesFromOutsideCanOnlyJudge) {
  Start();
  for (const std::string role : {kLearner, kPromptSource, kRolloutWorker, "king"}) {
    DealerSocket stranger = ConnectOutside(role, role);
    EXPECT_NE(Refusal(stranger).find("it says hello as \"" + role + "\""), std::string::npos);
    stranger.Send(Encode(Fault{ExitCode::kRunFailed, "stop it all"}));
    EXPECT_EQ(Refusal(stranger), "it is unknown, or was lost");
  }
  DealerSocket judge = RemoteJudge("judge", 1);
  judge.Send(Encode(Trained{0}));
  EXPECT_NE(Refusal(judge).find("a message that a reward_worker does not send"), std::string::npos);
  // A name of the run's own workers is free outside of it.
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  DealerSocket namesake = RemoteJudge("learner", 1);
  Issue(learner, source);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(BrokerTest, AnotherVersionAnotherFormatOrAKnownNameIsRefusedWithTheReason) {
  Start();
  DealerSocket old = ConnectOutside("old", kRewardWorker, "0.0.1");
  EXPECT_EQ(Refusal(old), std::string("it is of hone \"0.0.1\", and the run of hone ") + Version());
  DealerSocket garbler = ConnectOutside("garbler");
  Frames garbage;
  garbage.emplace_back("garbage", 7);
  garbler.Send(std::move(garbage));
  EXPECT_NE(Refusal(garbler).find("it does not match the schema"), std::string::npos);
  DealerSocket judge = RemoteJudge("judge", 1);
  judge.Send(Encode(Hello{kRewardWorker, Version()}));
  EXPECT_NE(Refusal(judge).find("of this name"), std::string::npos);
  DealerSocket nameless = ConnectOutside(std::string("\0\x1b[2J", 5), kRewardWorker);
  EXPECT_FALSE(Next(nameless, 10));
}

TEST_F(BrokerTest, GroupsOfARemoteWorkerThatLeavesGoToAnotherAndBlameNoGroup) {
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Generate(learner, source);
  for (int i = 0; i < 8; ++i) {  // more often than a group may kill workers
    DealerSocket judge = RemoteJudge("judge" + std::to_string(i), 2);
    EXPECT_EQ(std::get<RolloutGroup>(Next(judge).value()).task.group_id, 0u);
    EXPECT_EQ(std::get<RolloutGroup>(Next(judge).value()).task.group_id, 1u);
    judge.Send(Encode(Leave{"told to stop"}));
    Turn();
  }
  DealerSocket last = RemoteJudge("last", 5);
  for (int i = 0; i < 5; ++i) {
    last.Send(Encode(ScoreOf(std::get<RolloutGroup>(Next(last).value()))));
  }
  EXPECT_TRUE(std::holds_alternative<BatchMessage>(Next(learner).value()));
  EXPECT_TRUE(lost_.empty());
}

TEST_F(BrokerTest, ARemoteWorkerThatFailsOrFallsSilentEndsNothing) {
  Start({.heartbeat = 1});
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Generate(learner, source);
  DealerSocket failing = RemoteJudge("failing", 1);
  EXPECT_EQ(std::get<RolloutGroup>(Next(failing).value()).task.group_id, 0u);
  failing.Send(Encode(Fault{ExitCode::kUsage, "no such program"}));
  EXPECT_EQ(Refusal(failing), "\"no such program\"");
  DealerSocket silent = RemoteJudge("silent", 1);
  EXPECT_EQ(std::get<RolloutGroup>(Next(silent).value()).task.group_id, 0u);
  EXPECT_NE(Refusal(silent).find("said nothing for 1 s"), std::string::npos);
  silent.Send(Encode(ScoreOf(AnswerTo(TaskOf(0)))));
  EXPECT_EQ(Refusal(silent), "it is unknown, or was lost");
  DealerSocket other = RemoteJudge("other", 1);
  EXPECT_EQ(std::get<RolloutGroup>(Next(other).value()).task.group_id, 0u);
}

TEST_F(BrokerTest, RemoteWorkersThatComeAndGoDoNotHideAStandstill) {
  Start({.stall = 1});
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Generate(learner, source);
  const auto come_and_go = [&] {
    const auto deadline = Peers::Clock::now() + std::chrono::seconds(60);
    for (int i = 0; Peers::Clock::now() < deadline; ++i) {
      DealerSocket judge = RemoteJudge("judge" + std::to_string(i), 0);
      judge.Send(Encode(Heartbeat{7, "two\nlines"}));
      judge.Send(Encode(Leave{"it cannot judge"}));
      Turn(1);
    }
  };
  EXPECT_THROW(come_and_go(), RunError);
}

TEST_F(BrokerTest, ARewardWorkerGivesRewardsAndNothingElse) {
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Generate(learner, source);
  DealerSocket judge = RemoteJudge("judge", 5);
  for (int i = 0; i < 5; ++i) {
    ScoredGroup scored = ScoreOf(std::get<RolloutGroup>(Next(judge).value()));
    scored.rollout.completions[0].tokens = {7};
    scored.rollout.completions[0].logprobs = {-9};
    scored.rollout.completions[0].entropies = {0};
    judge.Send(Encode(scored));
  }
  const auto batch = std::get<BatchMessage>(Next(learner).value());
  for (const ScoredGroup& group : batch.batch.groups) {
    EXPECT_EQ(group.rollout.completions[0].tokens, (std::vector<int32_t>{9, 1}));
    EXPECT_EQ(group.rewards_G, (std::vector<float>{1, 0, 1}));
  }
}

TEST_F(BrokerTest, AWorkerWithOtherVerifiersIsLost) {
  Start();
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Generate(learner, source);
  DealerSocket judge = RemoteJudge("judge", 1);
  ScoredGroup scored = ScoreOf(std::get<RolloutGroup>(Next(judge).value()));
  scored.verifier_names = {"math"};
  judge.Send(Encode(scored));
  EXPECT_EQ(Refusal(judge), "it judges by \"math\" instead of random");
}

TEST_F(BrokerTest, AStandstillNamesWhoWaitsForWhat) {
  Start({.stall = 0.5});
  DealerSocket learner = Connect("learner", kLearner), source = Connect("source", kPromptSource);
  Issue(learner, source);
  DealerSocket worker = RolloutWorker("worker", 5);
  worker.Send(Encode(Heartbeat{1, "dreams"}));
  try {
    Turn(200);
    FAIL() << "went on";
  } catch (const RunError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("5 being generated (0 by worker"), std::string::npos) << text;
    EXPECT_NE(text.find("worker dreams"), std::string::npos) << text;
  }
}

TEST_F(BrokerTest, AFaultEndsTheRunWithItsCode) {
  Start();
  DealerSocket worker = Connect("worker", kRewardWorker);
  worker.Send(Encode(Fault{ExitCode::kBadFile, "tokenizer.json is gone"}));
  try {
    Turn();
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadFile);
    EXPECT_STREQ(error.what(), "worker: tokenizer.json is gone");
  }
}

}  // namespace
}  // namespace hone
