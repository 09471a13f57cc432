// The numerics contract on random models, batches and schedules: the logits after each token are,
// to the bit, those of its sequence alone, one token at a time, on one thread, in scalar code.
#include <algorithm>
#include <memory>

#include "policy/model/exact_cache.h"
#include "random_cases.h"

namespace hone::testing {
namespace {

constexpr int32_t kUnshared = -1;

// One sequence of a case. A fork begins with the first `begin` tokens of its leader, of which it
// shares the full pages and copies the last.
struct Stream {
  std::vector<int32_t> tokens;
  int32_t leader = kUnshared, begin = 0;
};

// A part of a batch: the next `rows` tokens of a stream.
struct Part {
  int32_t stream = 0, rows = 0;
  bool restart = false;  // from position 0, on new pages: as after a preemption
};

struct Case {
  ModelConfig config;
  std::shared_ptr<const Weights> weights;
  std::string dtype;
  std::vector<Stream> streams;
  std::vector<std::vector<Part>> schedule;  // of each batch
  int32_t page_size = 0;
  std::vector<int32_t> pages;                // in the order in which they are given out
  std::vector<std::vector<float>> expected;  // of each stream: the logits after each token
};

std::vector<float> OneTokenAtATime(Backend& backend, std::span<const int32_t> tokens) {
  const size_t vocab = static_cast<size_t>(backend.config().vocab_size);
  const auto cache =
      backend.NewCache(PagesFor(static_cast<int64_t>(tokens.size()), kDefaultPageSize));
  std::vector<float> logits(tokens.size() * vocab);
  Batch batch;
  for (int32_t i = 0; i < cache->pages(); ++i) batch.pages.push_back(i);
  const std::vector<int32_t> rows = {0};
  for (size_t i = 0; i < tokens.size(); ++i) {
    batch.tokens_T = {tokens[i]};
    batch.spans = {{0, 1, static_cast<int32_t>(i), 0}};
    backend.Forward(batch, *cache, rows, std::span(logits).subspan(i * vocab, vocab));
  }
  return logits;
}

std::vector<Stream> RandomStreams(RandomCase& draws, int64_t vocab) {
  std::vector<Stream> streams;
  const int32_t count = draws.From(1, 40);
  const int32_t longest = draws.Of({8, 20, 40, 90});
  while (static_cast<int32_t>(streams.size()) < count) {
    const int32_t leader = static_cast<int32_t>(streams.size());
    streams.push_back({RandomTokens(draws, vocab, draws.From(1, longest)), kUnshared, 0});
    if (draws.Once(2)) continue;
    const int32_t length = static_cast<int32_t>(streams[leader].tokens.size());
    const int32_t begin = draws.From(1, length);
    for (int32_t forks = draws.From(1, 5); forks > 0; --forks) {
      Stream fork{streams[leader].tokens, leader, begin};
      fork.tokens.resize(static_cast<size_t>(begin));
      const auto own = RandomTokens(draws, vocab, draws.From(1, longest / 2));
      fork.tokens.insert(fork.tokens.end(), own.begin(), own.end());
      streams.push_back(std::move(fork));
    }
  }
  return streams;
}

// Which tokens each batch holds, until all are through. A fork begins once its leader is far
// enough, as early as in the same batch.
std::vector<std::vector<Part>> RandomSchedule(RandomCase& draws,
                                              const std::vector<Stream>& streams) {
  std::vector<std::vector<Part>> schedule;
  std::vector<int32_t> done(streams.size(), 0);
  std::vector<uint8_t> begun(streams.size(), 0);
  const int32_t most_rows = draws.Of({1, 3, 17, 100});
  const uint32_t pause = draws.Of<uint32_t>({1, 2, 5});  // a stream rests in 1 - 1/pause of them
  for (bool all = false; !all;) {
    std::vector<Part> parts;
    all = true;
    for (size_t s = 0; s < streams.size(); ++s) {
      const Stream& stream = streams[s];
      const int32_t length = static_cast<int32_t>(stream.tokens.size());
      if (begun[s] == 0 && stream.leader != kUnshared) done[s] = stream.begin;
      if (done[s] == length) continue;
      all = false;
      if (!draws.Once(pause)) continue;
      if (begun[s] == 0 && stream.leader != kUnshared && done[stream.leader] < stream.begin)
        continue;
      // A stream may have two parts in one batch.
      for (int32_t spans = draws.Once(8) ? 2 : 1; spans > 0 && done[s] < length; --spans) {
        Part part{static_cast<int32_t>(s), 0, done[s] > 0 && begun[s] != 0 && draws.Once(60)};
        if (part.restart) done[s] = 0;
        part.rows = draws.Once(2) ? 1 : draws.From(1, std::min(most_rows, length - done[s]));
        begun[s] = 1;
        done[s] += part.rows;
        parts.push_back(part);
      }
    }
    if (!parts.empty()) schedule.push_back(std::move(parts));
  }
  return schedule;
}

Case MakeCase(RandomCase& draws) {
  Case c;
  c.config = RandomModel(draws);
  c.weights = RandomModelWeights(draws, c.config);
  c.dtype = RandomDtype(draws);
  c.streams = RandomStreams(draws, c.config.vocab_size);
  c.schedule = RandomSchedule(draws, c.streams);
  c.page_size = RandomPageSize(draws);
  int32_t pages = draws.From(0, 10);  // and some that nobody uses
  const auto count = [&](size_t s) {
    pages += PagesFor(static_cast<int64_t>(c.streams[s].tokens.size()), c.page_size);
  };
  for (size_t s = 0; s < c.streams.size(); ++s) count(s);
  for (const auto& parts : c.schedule) {
    for (const Part& part : parts) {
      if (part.restart) count(static_cast<size_t>(part.stream));
    }
  }
  for (int32_t page = 0; page < pages; ++page) c.pages.push_back(page);
  draws.Shuffle(&c.pages);
  const auto plainest = PlainestBackend(c.config, c.weights, c.dtype);
  for (const Stream& stream : c.streams)
    c.expected.push_back(OneTokenAtATime(*plainest, stream.tokens));
  return c;
}

// What earlier owners of the pages left there.
void FillWithRemains(KvCache& cache, const ModelConfig& config) {
  auto& exact = dynamic_cast<ExactCache&>(cache);
  const size_t size = cache.bytes() / (2 * sizeof(float) * static_cast<size_t>(config.num_layers));
  for (int64_t l = 0; l < config.num_layers; ++l) {
    std::fill_n(exact.k(l), size, 7.5f);
    std::fill_n(exact.v(l), size, -99.25f);
  }
}

// Plays a case's schedule on one backend.
class Player {
 public:
  Player(const Case& c, Backend& backend)
      : case_(c),
        backend_(backend),
        cache_(backend.NewCache(static_cast<int32_t>(c.pages.size()), c.page_size)),
        pages_(c.streams.size()),
        cached_(c.streams.size(), 0) {
    FillWithRemains(*cache_, c.config);
  }

  void Run(const std::vector<Part>& parts, RandomCase& draws) {
    batch_ = {};
    batch_.page_size = case_.page_size;
    std::vector<Row> rows;
    for (const Part& part : parts) Add(part, &rows);
    draws.Shuffle(&rows);
    if (draws.Once(4)) rows.resize(draws.Below(static_cast<uint32_t>(rows.size()) + 1));
    std::vector<int32_t> asked;
    for (const Row& row : rows) asked.push_back(row.row);
    const size_t vocab = static_cast<size_t>(case_.config.vocab_size);
    std::vector<float> logits(asked.size() * vocab);
    backend_.Forward(batch_, *cache_, asked, logits);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& expected = case_.expected[rows[i].stream];
      ASSERT_EQ(BitDifference(std::span(expected).subspan(rows[i].position * vocab, vocab),
                              std::span(logits).subspan(i * vocab, vocab)),
                "")
          << "logits of stream " << rows[i].stream << ", position " << rows[i].position;
    }
  }

 private:
  struct Row {
    size_t stream = 0, position = 0;
    int32_t row = 0;
  };

  void Begin(int32_t s, bool alone) {
    const Stream& stream = case_.streams[s];
    const int32_t pages = PagesFor(static_cast<int64_t>(stream.tokens.size()), case_.page_size);
    pages_[s].clear();
    int32_t shared = 0;
    if (!alone && stream.leader != kUnshared) {
      shared = stream.begin / case_.page_size;
      const auto& theirs = pages_[stream.leader];
      pages_[s].assign(theirs.begin(), theirs.begin() + shared);
      cached_[s] = stream.begin;
    } else {
      cached_[s] = 0;
    }
    while (static_cast<int32_t>(pages_[s].size()) < pages)
      pages_[s].push_back(case_.pages.at(given_++));
    if (cached_[s] % case_.page_size != 0) {
      batch_.copies.push_back(
          {pages_[stream.leader][shared], pages_[s][shared], cached_[s] % case_.page_size});
    }
  }

  void Add(const Part& part, std::vector<Row>* rows) {
    const int32_t s = part.stream;
    if (pages_[s].empty() || part.restart) Begin(s, part.restart);
    const auto& tokens = case_.streams[s].tokens;
    batch_.spans.push_back({.first_row = batch_.rows(),
                            .rows = part.rows,
                            .position = cached_[s],
                            .first_page = static_cast<int32_t>(batch_.pages.size())});
    batch_.pages.insert(batch_.pages.end(), pages_[s].begin(), pages_[s].end());
    for (int32_t i = 0; i < part.rows; ++i) {
      rows->push_back({static_cast<size_t>(s), static_cast<size_t>(cached_[s]), batch_.rows()});
      batch_.tokens_T.push_back(tokens[cached_[s]++]);
    }
  }

  const Case& case_;
  Backend& backend_;
  const std::unique_ptr<KvCache> cache_;
  std::vector<std::vector<int32_t>> pages_;  // of each stream that has begun
  std::vector<int32_t> cached_;
  size_t given_ = 0;
  Batch batch_;
};

TEST(ModelContractTest, LogitsAreThoseOfEachSequenceAloneOneTokenAtATime) {
  ForRandomCases(130, [](RandomCase& draws) {
    const Case c = MakeCase(draws);
    for (const kernels::Isa isa : IsasOfThisMachine()) {
      const int threads = draws.From(1, 3);
      SCOPED_TRACE(c.dtype + ", " + kernels::IsaName(isa) + ", threads " + std::to_string(threads) +
                   ", page size " + std::to_string(c.page_size));
      const auto backend = ExactBackend(c.config, c.weights, c.dtype, threads, isa);
      Player player(c, *backend);
      for (size_t i = 0; i < c.schedule.size(); ++i) {
        SCOPED_TRACE("batch " + std::to_string(i));
        player.Run(c.schedule[i], draws);
        if (::testing::Test::HasFailure()) return;
      }
    }
  });
}

}  // namespace
}  // namespace hone::testing
