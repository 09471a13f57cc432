#include "reward/plugins/http_verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "reward/plugins/exchange.h"
#include "reward/plugins/lending_pool.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

// Between tries: doubled each time, up to the second.
constexpr std::chrono::milliseconds kFirstPause{250}, kLongestPause{5000};

// What came instead of the rewards of a batch.
struct Failure {
  Verdict verdict;
  bool again = false;      // another try may go well
  bool by_sample = false;  // one of the samples may be to blame
};

Failure Crash(std::string error, bool again, bool by_sample) {
  return {{.error = std::move(error), .cause = ErrorCause::kCrash}, again, by_sample};
}

// The reply's first bytes, for a message.
std::string Start(const std::string& body) { return Dump(Json(body.substr(0, 100))); }

std::optional<Failure> FailureOfStatus(const HttpReply& reply) {
  const long status = reply.status;
  if (status >= 200 && status < 300) return std::nullopt;
  if (status >= 300 && status < 400) {
    return Crash(fmt::format("HTTP status {}, a redirect{}, which is not followed: expected the "
                             "final address as the verifier",
                             status, reply.location.empty() ? "" : " to " + reply.location),
                 false, false);
  }
  const bool busy = status == 408 || status == 429 || status == 503 || status == 504;
  const bool content = status == 400 || status == 413 || status == 422;
  std::string hint;
  if (status == 401 || status == 403) hint = " (api_key_env names the variable with the key)";
  return Crash(fmt::format("HTTP status {}{}: {}", status, hint, Start(reply.body)),
               busy || status >= 500, (status >= 500 && !busy) || content);
}

std::optional<Failure> FailureOf(const HttpReply& reply, double timeout_s) {
  using Kind = HttpReply::Kind;
  switch (reply.kind) {
    case Kind::kReply:
      return FailureOfStatus(reply);
    case Kind::kTimeout:
      return Failure{{.error = fmt::format("no rewards within {} s: {}", timeout_s, reply.problem),
                      .cause = ErrorCause::kTimeout},
                     false,
                     false};
    case Kind::kUnreachable:
      return Crash("cannot be reached: " + reply.problem, true, false);
    case Kind::kBroken:
      return Crash("the connection broke: " + reply.problem, true, true);
    case Kind::kTooLong:
      return Crash(fmt::format("a reply of more than {} MiB", HttpConnection::kLongestReply >> 20),
                   false, true);
    case Kind::kMachine:
      break;
  }
  return Failure{{.error = reply.problem, .cause = ErrorCause::kMachine}, true, false};
}

// Appends the verdicts of a reply, or says what is wrong with it.
std::optional<Failure> ReadRewards(const std::string& body, size_t samples,
                                   std::vector<Verdict>* verdicts) {
  Json reply;
  try {
    reply = ParseJson(body);
  } catch (const BadJson& error) {
    return Crash(fmt::format("{} (NaN and Infinity are none), found {}", error.what(), Start(body)),
                 false, true);
  }
  const auto rewards = reply.is_object() ? reply.find("rewards") : reply.end();
  if (!reply.is_object() || rewards == reply.end() || !rewards->is_array()) {
    return Crash(fmt::format("expected {{\"rewards\": […]}}, found {}", Start(body)), false, true);
  }
  if (rewards->size() != samples) {
    return Crash(fmt::format("expected {} rewards, found {}", samples, rewards->size()), false,
                 true);
  }
  for (const Json& reward : *rewards) {
    std::optional<Verdict> verdict = VerdictFromJson(reward);
    if (reward.is_number()) verdict = Verdict{.reward = reward.get<double>()};
    if (reward.is_null()) verdict = Verdict{.error = "the server gave null: it cannot decide"};
    if (!verdict) {
      verdict = Verdict{.error = fmt::format("expected a number, null or {{\"error\": text}}, "
                                             "found {}",
                                             Start(Dump(reward))),
                        .cause = ErrorCause::kCrash};
    }
    verdicts->push_back(std::move(*verdict));
  }
  return std::nullopt;
}

class HttpVerifier : public Verifier {
 public:
  explicit HttpVerifier(HttpPlan plan) : plan_(std::move(plan)), pool_(plan_.connections) {}

  std::string name() const override { return plan_.name; }

  // Of all samples of a group together, all tries included.
  double deadline_s() const override { return plan_.timeout_s; }
  int parallel() const override { return plan_.connections; }

  Verdict Score(const Sample& sample) const override {
    ScoringWatch unwatched;
    return ScoreBatch({&sample, 1}, unwatched)[0];
  }

  std::vector<Verdict> ScoreBatch(std::span<const Sample> samples,
                                  ScoringWatch& watch) const override {
    std::vector<Verdict> verdicts;
    pool_.Lend(watch, [&](Connection& connection) {
      if (connection == nullptr) connection = MakeHttpConnection(plan_.target);
      const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                               std::chrono::duration<double>(plan_.timeout_s));
      const auto batch_size = static_cast<size_t>(plan_.batch_size);
      while (verdicts.size() < samples.size()) {
        const auto batch = samples.subspan(verdicts.size());
        const size_t size = std::min(batch_size, batch.size());
        Judge(batch.first(size), *connection, deadline, &verdicts);
        for (size_t i = 0; i < size; ++i) watch.Judged();
      }
    });
    return verdicts;
  }

 private:
  using Connection = std::unique_ptr<HttpConnection>;

  // Appends a verdict of each sample.
  void Judge(std::span<const Sample> batch, HttpConnection& connection, Clock::time_point deadline,
             std::vector<Verdict>* verdicts) const {
    std::optional<Failure> failure = Ask(batch, /*alone=*/false, connection, deadline, verdicts);
    for (size_t i = 0; failure && i < batch.size(); ++i) {
      const bool alone = failure->by_sample && batch.size() > 1;
      if (alone) {
        const auto own = Ask(batch.subspan(i, 1), /*alone=*/true, connection, deadline, verdicts);
        if (!own) continue;
        verdicts->push_back(own->verdict);
        if (!own->by_sample) failure = own;  // the server is to blame: so it is for all the rest
      } else {
        verdicts->push_back(failure->verdict);
      }
    }
  }

  // Appends the verdicts, or appends nothing and says why. A sample that is asked alone had its
  // tries among the others.
  std::optional<Failure> Ask(std::span<const Sample> batch, bool alone, HttpConnection& connection,
                             Clock::time_point deadline, std::vector<Verdict>* verdicts) const {
    OrderedJson request = {{"samples", OrderedJson::array()}};
    for (const Sample& sample : batch) {
      request["samples"].push_back(SampleToJson(sample, plan_.options));
    }
    const std::string body = Dump(request);
    auto pause = kFirstPause;
    for (int tries = 0;; ++tries) {
      const HttpReply reply = connection.Post(body, deadline);
      std::optional<Failure> failure = FailureOf(reply, plan_.timeout_s);
      if (!failure) return ReadRewards(reply.body, batch.size(), verdicts);
      const bool time_left = Clock::now() + pause < deadline;
      const int retries = alone && failure->by_sample ? 0 : plan_.retries;
      if (!failure->again || tries >= retries || !time_left) return failure;
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, kLongestPause);
    }
  }

  const HttpPlan plan_;
  mutable LendingPool<Connection> pool_;
};

}  // namespace

std::unique_ptr<Verifier> MakeHttpVerifier(HttpPlan plan) {
  return std::make_unique<HttpVerifier>(std::move(plan));
}

}  // namespace hone
