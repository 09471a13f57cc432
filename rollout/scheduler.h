// Which rows the next batch holds, and which pages they go to. Knows of lengths, pages and ages,
// not of logits: what it decides changes the speed and never a token.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "policy/backend.h"
#include "rollout/page_pool.h"
#include "rollout/sequence.h"

namespace hone {

// A part of a planned batch: `rows` tokens of one sequence.
struct ScheduledRows {
  Sequence* sequence = nullptr;
  int32_t rows = 0;
  int32_t last_row = 0;  // in the batch
  bool complete =
      false;  // the sequence has nothing left to compute: its last row gives the next token
};

// Thread contract: one thread. Use: Add; then Plan, Commit once the batch has run, Fork and Remove
// as its tokens are drawn; and again. A sequence's whole length must fit the pool.
class Scheduler {
 public:
  Scheduler(int32_t pages, int32_t max_sequences, int32_t max_batch_tokens,
            int32_t page_size = kDefaultPageSize);

  // Takes a sequence without pages into the queue.
  void Add(std::unique_ptr<Sequence> sequence);
  // Forms the next batch: single tokens first, then chunks of prefill, each oldest first. Sequences
  // that cannot get a page are put back, the youngest first, to be computed again later. False when
  // there is nothing to compute.
  bool Plan(Batch* batch, std::vector<ScheduledRows>* scheduled);
  // The planned batch has run: its keys and values are in the cache.
  void Commit(const std::vector<ScheduledRows>& scheduled);
  // A queued sample that shares the prompt of `leader`, whose prompt has just been computed.
  Sequence* Fork(const Sequence& leader, uint32_t sample);
  // Takes a sequence out and gives its pages back.
  std::unique_ptr<Sequence> Remove(const Sequence& sequence);

  bool empty() const { return running_.empty() && waiting_.empty(); }
  const PagePool& pool() const { return pool_; }
  int64_t preemptions() const { return preemptions_; }

 private:
  using Queue = std::map<Age, std::unique_ptr<Sequence>>;

  void Admit();
  void AddDecodes(Batch* batch, std::vector<ScheduledRows>* scheduled);
  void AddPrefills(Batch* batch, std::vector<ScheduledRows>* scheduled);
  void AddRows(Sequence& sequence, int32_t rows, Batch* batch,
               std::vector<ScheduledRows>* scheduled) const;
  void TakePromptOfSibling(Sequence& sequence);
  bool TakePages(Sequence& sequence);
  Sequence* YoungestHolder() const;
  void PutBack(Sequence& sequence);
  void ReleasePages(Sequence& sequence);

  const size_t max_sequences_;
  const int32_t max_batch_tokens_, page_size_;
  PagePool pool_;
  Queue running_, waiting_;
  int64_t preemptions_ = 0;
};

}  // namespace hone
