#include "reward/plugins/program_verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>

#include "common/error.h"
#include "reward/plugins/child_process.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;
using Child = std::unique_ptr<ChildProcess>;

std::string RequestLine(const Sample& sample, const Json& options) {
  return Dump(OrderedJson{{"prompt", sample.prompt},
                          {"completion", sample.completion},
                          {"columns", sample.columns},
                          {"group", sample.group},
                          {"index", sample.index},
                          {"options", options}}) +
         "\n";
}

// What a line of output says; nothing when it is no answer.
std::optional<Verdict> ReadAnswer(const std::string& line) {
  const Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) return std::nullopt;
  const auto error = answer.find("error"), reward = answer.find("reward");
  if (error != answer.end() && error->is_string()) {
    return Verdict{.error = error->get<std::string>()};
  }
  if (reward == answer.end() || !reward->is_number()) return std::nullopt;
  return Verdict{.reward = reward->get<double>()};
}

class ProgramVerifier : public Verifier {
 public:
  explicit ProgramVerifier(ProgramPlan plan) : plan_(std::move(plan)) {
    idle_.push_back(Start());
    started_ = 1;
  }

  std::string name() const override { return plan_.name; }

  // Asked with others and then alone, by a process that was just started each time.
  double deadline_s() const override { return 2 * (plan_.timeout_s + plan_.start_timeout_s); }
  int parallel() const override { return plan_.processes; }

  Verdict Score(const Sample& sample) const override {
    ScoringWatch unwatched;
    return ScoreBatch({&sample, 1}, unwatched)[0];
  }

  std::vector<Verdict> ScoreBatch(std::span<const Sample> samples,
                                  ScoringWatch& watch) const override {
    watch.Wait();
    Worker worker = Borrow();
    watch.GoOn();
    std::vector<Verdict> verdicts;
    try {
      size_t together = samples.size();
      while (verdicts.size() < samples.size()) {
        const auto rest = samples.subspan(verdicts.size());
        together = Ask(rest.first(std::min(together, rest.size())), &worker, &verdicts, watch)
                       ? samples.size()
                       : 1;
      }
    } catch (...) {
      Return({});  // the next borrower starts a process in its place
      throw;
    }
    Return(std::move(worker));
    return verdicts;
  }

 private:
  // A process, and whether it has yet to answer for the first time.
  struct Worker {
    Child child;
    bool fresh = true;
  };

  Worker Start() const { return {std::make_unique<ChildProcess>(plan_.argv)}; }

  Worker Borrow() const {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [&] { return !idle_.empty() || started_ < plan_.processes; });
    if (idle_.empty()) {
      ++started_;
      return {};
    }
    Worker worker = std::move(idle_.back());
    idle_.pop_back();
    return worker;
  }
  void Return(Worker worker) const {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(worker));
    free_.notify_one();
  }

  Clock::time_point Deadline(bool fresh) const {
    const double seconds = plan_.timeout_s + (fresh ? plan_.start_timeout_s : 0);
    return Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  // Sends samples and appends their verdicts up to the first that a failure cuts off; that one gets
  // its error only if it was asked alone. False after a failure.
  bool Ask(std::span<const Sample> samples, Worker* worker, std::vector<Verdict>* verdicts,
           ScoringWatch& watch) const {
    if (worker->child == nullptr) *worker = Start();
    for (const Sample& sample : samples) worker->child->Queue(RequestLine(sample, plan_.options));
    for (size_t i = 0; i < samples.size(); ++i) {
      const std::optional<Verdict> failure = Receive(worker, verdicts);
      if (!failure) {
        watch.Judged();
        continue;
      }
      worker->child = nullptr;
      if (samples.size() > 1) return false;
      verdicts->push_back(*failure);
      watch.Judged();
      return false;
    }
    return true;
  }

  // Appends the next answer, or gives what came instead.
  std::optional<Verdict> Receive(Worker* worker, std::vector<Verdict>* verdicts) const {
    std::string line;
    switch (worker->child->ReadLine(&line, Deadline(worker->fresh))) {
      case ChildProcess::Answer::kLine:
        break;
      case ChildProcess::Answer::kTimeout:
        return Verdict{.error = fmt::format("no answer within {} s", plan_.timeout_s),
                       .cause = ErrorCause::kTimeout};
      case ChildProcess::Answer::kEnd:
        return Verdict{.error = fmt::format("{} ended: {}", plan_.argv[0], worker->child->Ending()),
                       .cause = ErrorCause::kCrash};
      case ChildProcess::Answer::kTooLong:
        return Verdict{.error = "an answer without end", .cause = ErrorCause::kCrash};
    }
    worker->fresh = false;
    const std::optional<Verdict> verdict = ReadAnswer(line);
    if (!verdict) {
      return Verdict{.error = fmt::format("expected {{\"reward\": number}} or {{\"error\": text}}, "
                                          "found {}",
                                          line.substr(0, 100)),
                     .cause = ErrorCause::kCrash};
    }
    verdicts->push_back(*verdict);
    return std::nullopt;
  }

  const ProgramPlan plan_;
  mutable std::mutex mutex_;  // of the rest
  mutable std::condition_variable free_;
  mutable std::vector<Worker> idle_;  // without a child: to be started
  mutable int started_ = 0;
};

}  // namespace

std::unique_ptr<Verifier> MakeProgramVerifier(ProgramPlan plan) {
  return std::make_unique<ProgramVerifier>(std::move(plan));
}

}  // namespace hone
