#include "reward/plugins/program_verifier.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/error.h"
#include "reward/plugins/child_process.h"
#include "reward/plugins/exchange.h"
#include "reward/plugins/lending_pool.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;
using Child = std::unique_ptr<ChildProcess>;

class ProgramVerifier : public Verifier {
 public:
  explicit ProgramVerifier(ProgramPlan plan) : plan_(std::move(plan)), pool_(plan_.processes) {
    pool_.Add(Start());
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
    std::vector<Verdict> verdicts;
    pool_.Lend(watch, [&](Worker& worker) {
      size_t together = samples.size();
      while (verdicts.size() < samples.size()) {
        const auto rest = samples.subspan(verdicts.size());
        together = Ask(rest.first(std::min(together, rest.size())), &worker, &verdicts, watch)
                       ? samples.size()
                       : 1;
      }
    });
    return verdicts;
  }

 private:
  // A process, and whether it has yet to answer for the first time.
  struct Worker {
    Child child;
    bool fresh = true;
  };

  Worker Start() const { return {std::make_unique<ChildProcess>(plan_.argv)}; }

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
    for (const Sample& sample : samples) {
      worker->child->Queue(Dump(SampleToJson(sample, plan_.options)) + "\n");
    }
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
    const std::optional<Verdict> verdict =
        VerdictFromJson(Json::parse(line, nullptr, /*allow_exceptions=*/false));
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
  mutable LendingPool<Worker> pool_;  // without a child: to be started
};

}  // namespace

std::unique_ptr<Verifier> MakeProgramVerifier(ProgramPlan plan) {
  return std::make_unique<ProgramVerifier>(std::move(plan));
}

}  // namespace hone
