#include "rollout/scheduler.h"

#include <algorithm>

namespace hone {

Scheduler::Scheduler(int32_t pages, int32_t max_sequences, int32_t max_batch_tokens,
                     int32_t page_size)
    : max_sequences_(static_cast<size_t>(max_sequences)),
      max_batch_tokens_(max_batch_tokens),
      page_size_(page_size),
      pool_(pages) {}

void Scheduler::Add(std::unique_ptr<Sequence> sequence) {
  const Age age = sequence->age();
  waiting_.emplace(age, std::move(sequence));
}

bool Scheduler::Plan(Batch* batch, std::vector<ScheduledRows>* scheduled) {
  batch->Clear();
  batch->page_size = page_size_;
  scheduled->clear();
  // A second round is needed when all that ran gave way to an older one that waits; that one then
  // runs.
  while (batch->rows() == 0 && !empty()) {
    Admit();
    AddDecodes(batch, scheduled);
    AddPrefills(batch, scheduled);
  }
  return batch->rows() > 0;
}

// Lets waiting sequences run, oldest first and none past another, while there are slots, rows and
// pages.
void Scheduler::Admit() {
  int64_t planned_rows = 0;
  for (const auto& [age, sequence] : running_) planned_rows += sequence->remaining();
  while (!waiting_.empty() && running_.size() < max_sequences_ &&
         planned_rows < max_batch_tokens_) {
    Sequence& next = *waiting_.begin()->second;
    if (!next.holds_pages()) TakePromptOfSibling(next);
    if (running_.empty()) {
      // Nobody else will free pages, so those who wait with pages give theirs up, `next` at the
      // last; without any it starts over, and then it fits.
      while (!TakePages(next)) {
      }
    } else {
      // A page is left for each that runs, so that the newcomer is not put back at once.
      const int64_t needed =
          PagesFor(next.length(), page_size_) - static_cast<int64_t>(next.pages.size());
      if (pool_.free() < needed + static_cast<int64_t>(running_.size())) return;
      TakePages(next);
    }
    planned_rows += next.remaining();
    running_.insert(waiting_.extract(waiting_.begin()));
  }
}

// Oldest first: who must give way is younger and has no rows in the batch yet.
void Scheduler::AddDecodes(Batch* batch, std::vector<ScheduledRows>* scheduled) {
  for (auto& [age, sequence] : running_) {
    if (batch->rows() == max_batch_tokens_) return;
    if (sequence->remaining() != 1) continue;
    // Put back itself: it was the youngest, so the last.
    if (!TakePages(*sequence)) return;
    AddRows(*sequence, 1, batch, scheduled);
  }
}

// These have had their pages since they were admitted.
void Scheduler::AddPrefills(Batch* batch, std::vector<ScheduledRows>* scheduled) {
  for (auto& [age, sequence] : running_) {
    const int32_t room = max_batch_tokens_ - batch->rows();
    if (room == 0) return;
    const int32_t remaining = sequence->remaining();
    if (remaining > 1) AddRows(*sequence, std::min(remaining, room), batch, scheduled);
  }
}

void Scheduler::AddRows(Sequence& sequence, int32_t rows, Batch* batch,
                        std::vector<ScheduledRows>* scheduled) const {
  SequenceSpan span;
  span.first_row = batch->rows();
  span.rows = rows;
  span.position = sequence.cached;
  span.first_page = static_cast<int32_t>(batch->pages.size());
  batch->spans.push_back(span);
  const auto first = sequence.tokens.begin() + sequence.cached;
  batch->tokens_T.insert(batch->tokens_T.end(), first, first + rows);
  batch->pages.insert(batch->pages.end(), sequence.pages.begin(), sequence.pages.end());
  if (sequence.prompt_end_page >= 0) {
    const int32_t length = sequence.group->prompt_length;
    batch->copies.push_back(
        {sequence.prompt_end_page, sequence.pages[length / page_size_], length % page_size_});
  }
  scheduled->push_back({&sequence, rows, batch->rows() - 1, rows == sequence.remaining()});
}

void Scheduler::Commit(const std::vector<ScheduledRows>& scheduled) {
  for (const ScheduledRows& part : scheduled) {
    Sequence& sequence = *part.sequence;
    sequence.cached += part.rows;
    if (sequence.prompt_end_page >= 0) {
      pool_.Release(sequence.prompt_end_page);
      sequence.prompt_end_page = -1;
    }
  }
}

Sequence* Scheduler::Fork(const Sequence& leader, uint32_t sample) {
  auto fork = std::make_unique<Sequence>();
  fork->group = leader.group;
  fork->sample = sample;
  const int32_t length = leader.group->prompt_length;
  fork->tokens.reserve(leader.tokens.capacity());
  fork->tokens.assign(leader.tokens.begin(), leader.tokens.begin() + length);
  fork->logprobs.reserve(leader.logprobs.capacity());
  fork->entropies.reserve(leader.entropies.capacity());
  fork->cached = length;
  const int32_t full = length / page_size_;
  fork->pages.reserve(leader.pages.capacity());
  fork->pages.assign(leader.pages.begin(), leader.pages.begin() + full);
  for (const int32_t page : fork->pages) pool_.Share(page);
  if (length % page_size_ != 0) {
    fork->prompt_end_page = leader.pages[full];
    pool_.Share(fork->prompt_end_page);
  }
  Sequence* raw = fork.get();
  Add(std::move(fork));
  return raw;
}

std::unique_ptr<Sequence> Scheduler::Remove(const Sequence& sequence) {
  const Age age = sequence.age();
  auto node = running_.extract(age);
  if (node.empty()) node = waiting_.extract(age);
  ReleasePages(*node.mapped());
  return std::move(node.mapped());
}

// A sample that was put back need not compute the whole prompt again when another of its group
// still has it: the pages that the prompt fills are shared once more.
void Scheduler::TakePromptOfSibling(Sequence& sequence) {
  const int32_t full = sequence.group->prompt_length / page_size_;
  if (full == 0 || sequence.completion_length() == 0) return;
  const uint64_t ordinal = sequence.group->ordinal;
  for (auto it = running_.lower_bound({ordinal, 0}); it != running_.end(); ++it) {
    const Sequence& sibling = *it->second;
    if (sibling.group->ordinal != ordinal) return;
    if (sibling.cached < full * page_size_) continue;
    sequence.pages.assign(sibling.pages.begin(), sibling.pages.begin() + full);
    for (const int32_t page : sequence.pages) pool_.Share(page);
    sequence.cached = full * page_size_;
    return;
  }
}

// Pages for all of the sequence's tokens. While none is free the youngest that holds some is put
// back; false when that was the sequence itself.
bool Scheduler::TakePages(Sequence& sequence) {
  while (static_cast<int32_t>(sequence.pages.size()) < PagesFor(sequence.length(), page_size_)) {
    while (pool_.free() == 0) {
      Sequence* youngest = YoungestHolder();
      PutBack(*youngest);
      if (youngest == &sequence) return false;
    }
    sequence.pages.push_back(pool_.Take());
  }
  return true;
}

Sequence* Scheduler::YoungestHolder() const {
  Sequence* youngest = running_.empty() ? nullptr : running_.rbegin()->second.get();
  for (auto it = waiting_.rbegin(); it != waiting_.rend(); ++it) {
    if (youngest != nullptr && it->first < youngest->age()) break;
    if (it->second->holds_pages()) return it->second.get();
  }
  return youngest;
}

void Scheduler::PutBack(Sequence& sequence) {
  ReleasePages(sequence);
  ++preemptions_;
  if (auto node = running_.extract(sequence.age()); !node.empty()) waiting_.insert(std::move(node));
}

void Scheduler::ReleasePages(Sequence& sequence) {
  for (const int32_t page : sequence.pages) pool_.Release(page);
  sequence.pages.clear();
  if (sequence.prompt_end_page >= 0) pool_.Release(sequence.prompt_end_page);
  sequence.prompt_end_page = -1;
  sequence.cached = 0;
}

}  // namespace hone
