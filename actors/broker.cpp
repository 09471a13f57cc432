#include "actors/broker.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "common/error.h"
#include "common/json.h"
#include "common/log.h"
#include "common/version.h"

namespace hone {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

double Seconds(std::chrono::steady_clock::duration time) {
  return std::max(0.0, std::chrono::duration<double>(time).count());
}

// Credit beyond this is a mistake, not capacity.
constexpr uint64_t kMaxCredit = 1 << 20;

// Workers of other processes, at most.
constexpr size_t kMaxOutside = 1024;

// What a peer says of itself, for logs and errors: one line, and not too long.
std::string Said(const std::string& text) {
  constexpr size_t kLongest = 500;
  return Dump(Json(text.substr(0, kLongest)));
}

}  // namespace

Broker::Broker(std::shared_ptr<Ring> ring, BrokerEvents events)
    : ring_(std::move(ring)),
      events_(std::move(events)),
      socket_(ring_->context, ring_->options.address, ring_->options.config.transport.bind,
              ring_->socket),
      file_(ring_->options.folder, ring_->session->next_batch(), ring_->groups_per_batch()) {}

Broker::~Broker() {
  for (const std::string& peer : peers_.All()) socket_.Send(peer, Encode(Stop{"the run is over"}));
  socket_.Flush();
}

void Broker::Slice() {
  const auto deadline = Clock::now() + kSlice;
  auto wait = kSlice;
  while (auto received = socket_.Receive(wait)) {
    Receive(std::move(*received));
    Assign();
    for (const std::string& peer : socket_.Flush()) Lose(peer, "its connection is gone");
    wait = std::chrono::milliseconds{0};
    if (Clock::now() >= deadline) break;
  }
  Assign();
  for (const std::string& peer : socket_.Flush()) Lose(peer, "its connection is gone");
  Watch();
}

void Broker::Receive(RouterSocket::Received received) {
  const std::string& from = received.peer;
  Peer* peer = peers_.Find(from);
  try {
    Message message = Decode(received.frames, Tensors::kLeave);
    const auto* hello = std::get_if<Hello>(&message);
    if (hello != nullptr && Doors::IsOutside(from)) {
      OnHelloOutside(from, *hello);
    } else if (hello != nullptr) {
      OnHello(from, *hello);
    } else if (peer != nullptr) {
      peer->heard = Clock::now();
      Handle(from, message, received.frames);
    } else {
      spdlog::debug("broker: a message of {} is not heard: it is unknown, or was lost", from);
      // It may have joined a run that was here before, or have been silent for too long.
      if (Doors::IsOutside(from)) socket_.Send(from, Encode(Refused{"it is unknown, or was lost"}));
    }
  } catch (const WireError& error) {
    if (peer != nullptr) {
      Lose(from, error.what());
    } else {
      spdlog::warn("broker: a stranger sent {}", error.what());
      if (Doors::IsOutside(from)) socket_.Send(from, Encode(Refused{error.what()}));
    }
  }
}

void Broker::Handle(const std::string& from, Message& message, Frames& frames) {
  Peer& peer = *peers_.Find(from);
  // Workers of other processes that come and go get a run nowhere; their answers do.
  if (!std::holds_alternative<Heartbeat>(message) && !Doors::IsOutside(from)) moved_ = Clock::now();
  const auto only = [&](const char* role) {
    if (peer.role != role) throw WireError("a message that a " + peer.role + " does not send");
  };
  std::visit(
      Overloaded{
          [&](const Heartbeat& m) { OnHeartbeat(from, m); },
          [&](const Credit& m) { peer.credit = std::min(peer.credit + m.groups, kMaxCredit); },
          [&](const BatchCredit& m) { only(kLearner), OnBatchCredit(m); },
          [&](const Trained& m) { only(kLearner), OnTrained(m); },
          [&](const WeightsUpdate& m) { only(kLearner), OnWeights(m, frames); },
          [&](PromptTask& m) { only(kPromptSource), OnTask(from, m, frames); },
          [&](const RolloutGroup& m) { only(kRolloutWorker), OnRollout(from, m, frames); },
          [&](const WeightsHeld& m) { only(kRolloutWorker), OnWeightsHeld(peer, m); },
          [&](const WeightsRefused& m) { only(kRolloutWorker), OnWeightsRefused(from, m); },
          [&](ScoredGroup& m) { only(kRewardWorker), OnScored(from, m); },
          [&](const Fault& m) { OnFault(from, m); },
          [&](const Leave& m) { OnLeave(from, m); },
          [&](const auto&) { throw WireError("a message that only the broker sends"); },
      },
      message);
}

void Broker::OnHello(const std::string& from, const Hello& hello) {
  if (!peers_.Add(from, hello.role)) {
    spdlog::debug("broker: {} says hello again, and is not heard", from);
    return;
  }
  moved_ = Clock::now();
  if (hello.role == kRolloutWorker) {
    if (!weights_frames_.empty()) SendWeights(from);
  } else if (hello.role == kPromptSource) {
    AskForPrompts();
  } else if (hello.role != kRewardWorker && hello.role != kLearner) {
    Lose(from, "it says hello as " + hello.role + ", a role that there is not");
  }
}

void Broker::OnHelloOutside(const std::string& from, const Hello& hello) {
  const auto refuse = [&](const std::string& why) {
    spdlog::warn("{} is refused: {}", from, why);
    socket_.Send(from, Encode(Refused{why}));
  };
  if (hello.role != kRewardWorker) {
    return refuse("it says hello as " + Said(hello.role) + "; only a " + kRewardWorker +
                  " can join from another process");
  }
  if (hello.version != Version()) {
    return refuse("it is of hone " + Said(hello.version) + ", and the run of hone " + Version());
  }
  if (peers_.CountOf(&Doors::IsOutside) >= kMaxOutside) {
    return refuse("the run has " + std::to_string(kMaxOutside) + " workers of other processes");
  }
  if (!peers_.Add(from, hello.role)) {
    return refuse("a worker of this name is known, or was lost");
  }
  spdlog::info("{} has joined", from);
  Welcome welcome;
  welcome.seed = ring_->options.config.run.seed;
  welcome.rewards = ring_->options.reward_tables;
  for (const auto& [name, text] : ring_->model.companions) {
    if (name == "tokenizer.json") welcome.tokenizer = text;
  }
  welcome.tokenizer_hash = HashBytes(welcome.tokenizer.data(), welcome.tokenizer.size());
  socket_.Send(from, Encode(welcome));
}

void Broker::OnHeartbeat(const std::string& from, const Heartbeat& beat) {
  Peer& peer = *peers_.Find(from);
  // Nobody watches over a worker of another process: it looks itself whether the run goes on.
  if (Doors::IsOutside(from)) socket_.Send(from, Encode(Heartbeat{0, "the run goes on"}));
  const bool at_work = !Doors::IsOutside(from) || peer.in_hand > 0;
  if (at_work && beat.progress != peer.progress) moved_ = Clock::now();
  peer.progress = beat.progress;
  peer.state = Doors::IsOutside(from) ? "says " + Said(beat.state) : beat.state;
}

void Broker::OnFault(const std::string& from, const Fault& fault) {
  if (!Doors::IsOutside(from)) throw Error(fault.code, from + ": " + fault.text);
  Lose(from, Said(fault.text));
}

void Broker::OnLeave(const std::string& from, const Leave& leave) {
  if (!Doors::IsOutside(from)) throw WireError("a message that only a remote worker sends");
  const std::string reason = Said(leave.reason);
  spdlog::info("{} leaves: {}", from, reason);
  Forget(from, reason, Ledger::Gone::kLeft);
}

void Broker::OnWeights(const WeightsUpdate& update, Frames& frames) {
  version_ = update.weights->version;
  fingerprint_ = update.weights->fingerprint;
  weights_frames_ = std::move(frames);
  weights_came_ = weights_held_ = Clock::now();
  peers_.ForgetWeights();
  for (const std::string& worker : peers_.WithRole(kRolloutWorker)) SendWeights(worker);
}

void Broker::SendWeights(const std::string& to) { socket_.Send(to, Share(weights_frames_)); }

void Broker::OnWeightsHeld(Peer& peer, const WeightsHeld& held) {
  if (held.version != version_) return;  // of an update that was overtaken
  if (weights_held_ == weights_came_) weights_held_ = Clock::now();
  peer.holds_weights = true;
}

void Broker::OnWeightsRefused(const std::string& from, const WeightsRefused& refused) {
  const std::string text = from + " refuses version " + std::to_string(refused.version) +
                           " of the weights: " + refused.text;
  spdlog::warn("{}", text);
  events_.weights_refused(from, refused.text);
  if (refused.version != version_) return;
  Peer& peer = *peers_.Find(from);
  if (peer.refused_version != refused.version) peer.refusals = 0;
  peer.refused_version = refused.version;
  if (++peer.refusals > 1) throw RunError(text + "; they were sent twice");
  SendWeights(from);
}

void Broker::OnBatchCredit(const BatchCredit& credit) {
  if (weights_frames_.empty() || credit.version != version_) {
    throw RunError("the learner asks for groups of version " + std::to_string(credit.version) +
                   ", but its weights are version " + std::to_string(version_));
  }
  ledger_.Open(credit.step, credit.first_group, credit.groups);
  const auto samples = static_cast<int32_t>(ring_->options.config.rollout.num_generations);
  batch_ = OpenBatch(credit, fingerprint_, samples);
  AskForPrompts();
}

void Broker::AskForPrompts() {
  const auto first = ledger_.FirstExpected();
  const std::vector<std::string> sources = peers_.WithRole(kPromptSource);
  if (!first || sources.empty()) return;
  // A source issues in order: what is missing is the tail.
  BatchCredit rest = batch_.credit();
  rest.groups -= static_cast<uint32_t>(*first - rest.first_group);
  rest.first_group = *first;
  socket_.Send(sources.back(), Encode(rest));
}

void Broker::OnTask(const std::string& from, PromptTask& task, Frames& frames) {
  if (const auto wrong = batch_.Check(task)) return Lose(from, *wrong);
  const Ledger::Answer answer = ledger_.Issue(task.group_id);
  if (answer == Ledger::Answer::kUnknown) return Lose(from, "nobody asked for its task");
  if (answer != Ledger::Answer::kAccepted) return;
  Answered(from);
  batch_.Add(std::move(task), std::move(frames));
}

void Broker::OnRollout(const std::string& from, const RolloutGroup& group, Frames& frames) {
  const uint64_t id = group.task.group_id;
  if (const auto wrong = batch_.Check(group)) return Lose(from, *wrong);
  if (ledger_.Generated(id, from) != Ledger::Answer::kAccepted) return;
  Answered(from);
  batch_.Add(group, std::move(frames));
  if (ledger_.all_generated()) generated_ = Clock::now();
}

void Broker::OnScored(const std::string& from, ScoredGroup& group) {
  const uint64_t id = group.rollout.task.group_id;
  if (const auto wrong = batch_.Check(group.rollout)) return Lose(from, *wrong);
  const std::vector<std::string>& verifiers = ring_->scorer->names();
  if (group.verifier_names != verifiers) {
    const std::string found = fmt::format("{}", fmt::join(group.verifier_names, ", "));
    return Lose(from, fmt::format("it judges by {} instead of {}", Said(found),
                                  fmt::join(verifiers, ", ")));
  }
  if (ledger_.Scored(id, from) != Ledger::Answer::kAccepted) return;
  Answered(from);
  for (const VerifierError& error : group.errors) {
    spdlog::debug("group {}: {} sample {}: {}: {}", id, group.verifier_names[error.verifier],
                  error.sample, ErrorCauseName(error.cause), error.reason);
  }
  for (const VerdictRecord& record : group.records) file_.Record(id, record);
  group.records.clear();
  batch_.Add(std::move(group));
  if (ledger_.complete()) SendBatch();
}

void Broker::Answered(const std::string& from) {
  moved_ = Clock::now();
  Peer& peer = *peers_.Find(from);
  if (peer.in_hand > 0) --peer.in_hand;
  if (peer.delivered) return;
  peer.delivered = true;
  events_.delivered(from);
}

// The three times add up to what the learner waited for the batch. What it learns from must still
// be known when the run goes on after a kill.
void Broker::SendBatch() {
  file_.SyncRecords();
  BatchMessage message;
  message.batch = batch_.Take(ledger_.ScoredGroups());
  message.times.sync = Seconds(weights_held_ - weights_came_);
  message.times.rollout = Seconds(generated_ - weights_held_);
  message.times.reward = Seconds(Clock::now() - generated_);
  learning_ = true;
  for (const std::string& learner : peers_.WithRole(kLearner)) {
    socket_.Send(learner, Encode(message));
  }
}

void Broker::OnTrained(const Trained& trained) {
  learning_ = false;
  if (trained.step != batch_.credit().step || !ledger_.complete()) {
    throw RunError("the learner has trained on batch " + std::to_string(trained.step) +
                   ", which it was not given: " + ledger_.Describe());
  }
  ledger_.Trained();
  const uint64_t batch = batch_.credit().step;
  file_.Append(ledger_.Close());
  batch_ = OpenBatch();
  events_.batch_closed(batch);
}

void Broker::Assign() {
  const auto give = [&](const char* role, auto take, auto send) {
    for (std::string worker = peers_.Idlest(role); !worker.empty(); worker = peers_.Idlest(role)) {
      const std::optional<uint64_t> group = take(worker);
      if (!group) return;
      Peer& peer = *peers_.Find(worker);
      --peer.credit;
      ++peer.in_hand;
      send(worker, *group);
    }
  };
  give(
      kRolloutWorker, [&](const std::string& worker) { return ledger_.TakeToGenerate(worker); },
      [&](const std::string& worker, uint64_t group) { socket_.Send(worker, batch_.Task(group)); });
  give(
      kRewardWorker, [&](const std::string& worker) { return ledger_.TakeToScore(worker); },
      [&](const std::string& worker, uint64_t group) {
        const std::vector<VerdictRecord>& known = file_.Known(group);
        if (!known.empty()) socket_.Send(worker, Encode(KnownVerdicts{group, known}));
        socket_.Send(worker, batch_.Rollout(group));
      });
}

void Broker::WorkerDown(const std::string& identity, const std::string& cause) {
  Forget(identity, cause, Ledger::Gone::kDied);
}

void Broker::Forget(const std::string& identity, const std::string& cause, Ledger::Gone gone) {
  if (!Doors::IsOutside(identity)) moved_ = Clock::now();
  peers_.Remove(identity);
  socket_.Drop(identity);
  const auto groups = ledger_.Reissue(identity, cause, gone);
  if (!groups.empty()) {
    spdlog::info("{} groups of {} are issued again, from group {} on", groups.size(), identity,
                 groups.front());
  }
}

void Broker::Lose(const std::string& identity, const std::string& cause) {
  const Peer* peer = peers_.Find(identity);
  if (peer == nullptr) return;
  if (peer->role == kLearner) throw RunError("the broker lost the learner: " + cause);
  WorkerDown(identity, cause);
  if (Doors::IsOutside(identity)) {
    spdlog::warn("{} is no longer heard: {}", identity, cause);
    socket_.Send(identity, Encode(Refused{cause}));
    return;
  }
  events_.lost(identity, cause);
}

void Broker::Watch() {
  const auto now = Clock::now();
  if (now < next_watch_) return;
  next_watch_ = now + std::chrono::milliseconds(200);
  const auto seconds = [](double s) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
  };
  const RingDeadlines& deadlines = ring_->options.deadlines;
  for (const std::string& silent : peers_.SilentSince(now - seconds(deadlines.heartbeat))) {
    Lose(silent, fmt::format("it said nothing for {} s", deadlines.heartbeat));
  }
  const double limit = learning_ ? deadlines.learn : deadlines.stall;
  if (now - moved_ > seconds(limit)) {
    throw RunError(fmt::format("nothing moved for {} s. {}. {}", limit, ledger_.Describe(),
                               peers_.Describe()));
  }
}

}  // namespace hone
