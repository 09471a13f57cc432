#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "common/log.h"

namespace hone {
namespace {

// Shares of less time say little.
constexpr double kSettledSeconds = 60;

std::atomic<bool> interrupted{false};

void OnSignal(int) {
  if (interrupted.exchange(true)) std::_Exit(130);
}

std::string Clock(double seconds) {
  const int whole = static_cast<int>(seconds + 0.5);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string title, int64_t steps)
    : title_(std::move(title)),
      steps_(static_cast<uint64_t>(steps)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      begin_(std::chrono::steady_clock::now()),
      last_line_(begin_) {}

Progress::~Progress() { EndLine(); }

void Progress::EndLine() {
  if (open_line_) std::fputc('\n', stderr);
  open_line_ = false;
}

void Progress::Summarize() {
  EndLine();
  if (times_.seconds() > 0) spdlog::info("time by stage: {}", times_.Shares());
  if (const auto bottleneck = times_.RewardBottleneck()) spdlog::warn("{}", *bottleneck);
}

void Progress::Step(uint64_t step, const Metrics& metrics) {
  times_.Add(metrics);
  const auto bottleneck = times_.RewardBottleneck();
  if (bottleneck && !warned_ && times_.seconds() > kSettledSeconds) {
    EndLine();
    spdlog::warn("{}", *bottleneck);
    warned_ = true;
  }
  const auto now = std::chrono::steady_clock::now();
  // Without a terminal a line every five seconds is enough; the first and the last are always
  // shown.
  if (step <= done_before_) done_before_ = step - 1;
  const bool due =
      step == done_before_ + 1 || step >= steps_ || now - last_line_ > std::chrono::seconds(5);
  if (!terminal_ && !due) return;
  last_line_ = now;
  const double spent = std::chrono::duration<double>(now - begin_).count();
  const double left =
      spent / static_cast<double>(step - done_before_) * static_cast<double>(steps_ - step);
  std::string line =
      fmt::format("{} {:>{}}/{}", title_, step, std::to_string(steps_).size(), steps_);
  const auto show = [&](const char* key, const char* label, const char* format) {
    const auto found = metrics.find(key);
    if (found != metrics.end())
      line += fmt::format("  {} {}", label, fmt::format(fmt::runtime(format), found->second));
  };
  show("loss", "loss", "{:8.4f}");
  show("reward", "reward", "{:6.3f}");
  show("completions/mean_length", "length", "{:6.1f}");
  show("tokens_per_second", "tokens/s", "{:7.0f}");
  if (bottleneck) line += fmt::format("  verdicts {:.0f} %", 100 * times_.waited_for_verdicts());
  line += fmt::format("  left {}", Clock(left));
  std::fprintf(stderr, terminal_ ? "\r%s\033[K" : "%s\n", line.c_str());
  std::fflush(stderr);
  open_line_ = terminal_;
}

InterruptGuard::InterruptGuard() {
  interrupted = false;
  struct sigaction action {};
  action.sa_handler = OnSignal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

const std::atomic<bool>* InterruptGuard::flag() { return &interrupted; }

}  // namespace hone
