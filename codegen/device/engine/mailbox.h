// The memory that the host program and the resident kernels share, and what a round is told.
//
// Vocabulary: a *request* is one prompt to continue; the *mailbox* is one block of host memory that rank 0 polls (one
// warp, nobody else) and that every rank beats into; a *result* is what one round of the target yielded.
// A *round* is one pass over up to eight rows; rank 0 decides it and publishes a RoundControl to every rank.
//
// Invariants: whoever fills a record writes its `serial` last (release) and whoever reads it looks there first
// (acquire). Serials only grow and are never 0. The result ring has at least `ctx` entries, and the host takes every
// result of a request before it posts the next one, so the device never waits for the host in the middle of a request.
#pragma once
#include "../common/args.h"

namespace tile {

constexpr int max_rows = 8;
constexpr int max_stops = 16;
constexpr int max_biases = 300;
constexpr int max_logprobs = 20;

enum RoundOp : u32 { round_run = 1, round_quit = 2 };

// What every role of every SM of every rank knows of a round. Between requests no round is published at all: being idle
// is rank 0 waiting for its mailbox and everybody else waiting for the next round.
//
// An engine has one program, the target, or three: the target, and of a drafter the commit (it remembers rows that the
// target accepted) and the draft (it proposes the rows that the target verifies next). A round runs the target, or the
// commit with or without the draft; each has rows of its own.
enum Program : int { target_program, commit_program, draft_program, program_count };

struct RowBlock {
  int rows;  // 0..8
  int position[max_rows];
  int token[max_rows];
  int sequence[max_rows];
};

struct RoundControl {
  u32 round;        // 1, 2, ...
  u32 op;           // RoundOp
  u32 programs;     // bit p: program p runs
  int sample_from;  // target: the logits of rows sample_from..rows-1 are sampled; == rows: of none (a prompt block that is not the last)
  u32 ran[program_count];  // rounds in which each program ran before
  RowBlock block[program_count];
  TILE_BOTH bool runs(int program) const { return programs >> program & 1u; }
};
constexpr int control_words = sizeof(RoundControl) / 4;
constexpr int control_packets = (control_words + 2) / 3;  // 12 bytes of payload each

// How a row's next token is chosen. The host program fills in the derived fields, so that the device needs neither log
// nor division of what the user wrote.
struct Sampling {
  float inverse_temperature;  // 0: greedy
  float min_p_log;            // ln(min_p); -inf: off
  u32 top_p;                  // round(top_p * 2^32), 0: off
  int top_k;                  // 0: off
  u32 seed[2];
  float repetition, inverse_repetition;  // 1: off. What logits of tokens seen, in the prompt too, are multiplied by: below 0, above 0
  float presence, frequency;             // 0: off. What logits of generated tokens lose: once, and each time
  int biases;                            // entries of the mailbox's bias list
  int logprobs;                          // 0: none; n: of the chosen token and of the n - 1 likeliest
  /** The likeliest token, and nothing but the token. */
  TILE_BOTH bool plain() const { return inverse_temperature == 0.f && logprobs == 0 && !edits(); }
  TILE_BOTH bool edits() const { return repetition != 1.f || presence != 0.f || frequency != 0.f || biases > 0; }
};

struct Request {
  u32 serial;  // of the request; written last
  int prompt_length;
  int max_new_tokens;
  int stops;
  int stop[max_stops];  // ids that end the request: first `eos_stops` of them count as eos, the rest as stop ids
  int eos_stops;
  int draft;      // rows that the target verifies at once, 1..8, until the mailbox's `width` says otherwise; 0: one, and no drafting
  int block;      // rows of a draft's block, 2..8
  int predicted;  // entries of the mailbox's predictions: they stand where proposals of the drafter would, or alone, where there is none
  int cached;     // tokens of the prompt that count as rows of the caches already; the last one never does
  u32 synthetic;  // 0: proposals are compared with the target's tokens; else each is right with this probability * 2^32
  Sampling sampling;
};

enum Finish : u32 { running = 0, finish_eos = 1, finish_stop = 2, finish_length = 3, finish_cancel = 4, finish_context = 5 };

// What a round of the target yielded: at least one token, but for a cancelled request's end.
struct alignas(16) Result {
  u32 serial;    // index of this result since the launch, plus 1; written last; the first word
  u32 request;   // the request's serial
  u32 round;
  u32 finish;    // Finish
  u32 tokens;
  int position;  // where the first of them will stand in its sequence
  int token[max_rows];
  u32 drafted;   // proposals that were verified
  u32 accepted;  // of them, those before the first wrong one: tokens = accepted + 1, or accepted where the last of them ended the request
  u32 unusable;  // proposals that were thrown away because their logits were no numbers
  u32 round_ns;  // time from the result before, or the request, to this result: the rounds of a request add up to its time; on the host, processor time
  u32 draft_ns;  // of it, the time until the target began, where something was drafted
  u32 logged;    // of the records of log probabilities, those that were complete before this result
};

// The distribution that a token was chosen from, before temperature, truncation, penalties and bias. Its probability is
// exp(logit - largest) / (mass * 2^-44): the division and the logarithm are the host's.
struct alignas(16) LogRecord {
  float logit, largest;
  u64 mass;
  u64 digest;  // of the bits of all logits: what makes rows comparable to the bit
  int id[max_logprobs];
  float top[max_logprobs];
};

struct Bias {
  int id;
  float value;
};

struct Mailbox {
  Request request;
  u32 cancel;   // serial of the request to cancel
  u32 quit;     // 1: return from the kernels at the next round boundary
  u32 width;    // rows to verify from the next round on; 0: the rest of the request is not drafted
  u32 idle;     // 1 while rank 0 waits for a request
  u32 results;  // entries of the ring, and of the ring of log records
  u32 prompts;  // entries of the prompt buffer, and of the predictions
  u32 heartbeat[max_ranks];
  Bias bias[max_biases];
  // then: Result ring[results]; LogRecord log[results]; int prompt[prompts]; int predicted[prompts];
};
constexpr u64 mailbox_head = (sizeof(Mailbox) + 15) / 16 * 16;

TILE_BOTH constexpr u64 mailbox_bytes(u32 results, u32 prompts) {
  return mailbox_head + u64(results) * (sizeof(Result) + sizeof(LogRecord)) + u64(prompts) * 8;
}

// Where its arrays begin. Kernels know their lengths from elsewhere: reading them here is a way across the bus.
TILE_BOTH Result* mailbox_results(Mailbox* m) { return reinterpret_cast<Result*>(reinterpret_cast<char*>(m) + mailbox_head); }
TILE_BOTH LogRecord* mailbox_log(Mailbox* m, u32 results) { return reinterpret_cast<LogRecord*>(mailbox_results(m) + results); }
TILE_BOTH int* mailbox_prompt(Mailbox* m, u32 results) { return reinterpret_cast<int*>(mailbox_log(m, results) + results); }
TILE_BOTH int* mailbox_predicted(Mailbox* m, u32 results, u32 prompts) { return mailbox_prompt(m, results) + prompts; }

}  // namespace tile
