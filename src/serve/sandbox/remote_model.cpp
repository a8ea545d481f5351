#include "serve/sandbox/remote_model.hpp"

#include <algorithm>
#include <skerry/error.hpp>

#include "base/file.hpp"
#include "base/machine.hpp"
#include "base/threads.hpp"
#include "serve/log.hpp"
#include "serve/sandbox/tensors.hpp"
#include "serve/sandbox/worker.hpp"

namespace skerry::serve {
namespace {

constexpr double kUsualSeconds = 60.0;  // of a run where nobody says how long one may take
constexpr double kLoadSeconds = 120.0;
constexpr double kGraceSeconds = 2.0;
constexpr std::uint64_t kMostModel = std::uint64_t{4} << 30;
constexpr std::uint64_t kCopies = 4;  // of a model's bytes while it is read: the message, the weights, packed ones

// Whether these are what the model said that it gives: callers have been told, and buffers may stand ready for it.
bool are_as_told(const NamedTensors& outputs, const std::vector<TensorInfo>& told) {
  return std::equal(outputs.begin(), outputs.end(), told.begin(), told.end(), [](const auto& got, const auto& info) {
    const auto dims = got.second.shape().dims();
    return got.first == info.name && got.second.dtype() == info.dtype &&
           (!info.has_rank ||
            std::equal(dims.begin(), dims.end(), info.shape.begin(), info.shape.end(),
                       [](std::int64_t dim, std::int64_t known) { return known < 0 || dim == known; }));
  });
}

// The process may be anybody's by now: nothing that it tells lies outside of the time that it had.
ApartTimes times_of(const Frame& answer, std::chrono::system_clock::time_point sent, pid_t process) {
  using Steady = std::chrono::steady_clock;
  using System = std::chrono::system_clock;
  const auto today = System::now();
  const auto now = Steady::now();
  const auto moment = [&](std::int64_t nanos) {
    const System::time_point told{std::chrono::duration_cast<System::duration>(std::chrono::nanoseconds(nanos))};
    return now - std::chrono::duration_cast<Steady::duration>(today - std::clamp(told, std::min(sent, today), today));
  };
  AnswerHead head;
  ApartTimes times;
  if (!unpack(answer.head, head)) return times;
  times.process = process;
  for (std::size_t i = 0; i < times.parts.size(); ++i) {
    const auto begin = moment(head.spans[i].begin_ns);
    times.parts[i] = {begin, std::max(begin, moment(head.spans[i].end_ns))};
  }
  return times;
}

}  // namespace

RemoteModel::RemoteModel(std::string name, const std::filesystem::path& file, const Limits& limits,
                         const LoadOptions& loading)
    : name_(std::move(name)), file_bytes_(base::read_file(file, kMostModel)) {
  const std::uint64_t budget = limits.max_memory_bytes.value_or(base::available_memory_bytes() / 2);
  ModelHead head{.max_memory_bytes = budget, .threads = limits.threads, .import = loading.limits};
  if (limits.max_execution_time) head.max_seconds = limits.max_execution_time->count();
  seconds_ = head.max_seconds > 0.0 ? head.max_seconds : kUsualSeconds;
  threads_ = limits.threads > 0 ? limits.threads : base::thread_budget();
  data_bytes_ = worker_bytes(budget, limits.threads) + kCopies * file_bytes_.size();
  head.name_bytes = static_cast<std::uint32_t>(name_.size());
  head.trusted = static_cast<std::uint32_t>(loading.trusted.size());
  head_ = packed(head) + name_;
  for (const PublicKey& key : loading.trusted) head_ += packed(key);
  try {
    load();
  } catch (const WorkerDied& died) {
    throw error_of(died.status);
  }
  process_->rest();
}

void RemoteModel::load() {
  try {
    process_ = start_worker("/proc/self/exe", data_bytes_, threads_);
    process_->allow_cpu(kLoadSeconds * threads_);
    take_up(ask(FrameKind::load, head_, file_bytes_).bytes);
  } catch (...) {
    process_.reset();  // a process without its model is of no use to the next run
    throw;
  }
}

// What the first process told holds: others have built on it.
void RemoteModel::take_up(std::string told) {
  if (!told_.empty()) {
    if (told == told_) return;
    throw Error(ErrorCode::corrupt, "the model's new process tells of other inputs and outputs than its first one",
                name_, "load the model again");
  }
  std::string_view rest = told;
  kind_ = rest.starts_with('c') ? "circuit" : "model";
  rest.remove_prefix(std::min<std::size_t>(1, rest.size()));
  inputs_ = unpack_infos(rest);
  outputs_ = unpack_infos(rest);
  told_ = std::move(told);
}

// Errors: WorkerDied; what the process answers.
Frame RemoteModel::ask(FrameKind kind, std::string_view head, std::string_view bytes) {
  const double seconds = kind == FrameKind::load ? kLoadSeconds : seconds_ + kGraceSeconds;
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                            std::chrono::duration<double>(std::min(seconds, 1e8)));
  Channel& channel = process_->channel;
  auto outcome = channel.send(kind, head, bytes, until);
  Frame frame;
  if (outcome == Channel::Outcome::done) outcome = channel.receive(frame, until);
  if (outcome == Channel::Outcome::late) {
    process_.reset();
    throw Error(ErrorCode::deadline_exceeded, "the model's process was ended after " + std::to_string(seconds) + " s",
                name_, "raise max_execution_time");
  }
  if (outcome == Channel::Outcome::done && frame.kind == FrameKind::done) return frame;
  if (outcome == Channel::Outcome::done && frame.kind == FrameKind::failed) throw wire::decode_error(500, frame.bytes);
  const int status = outcome == Channel::Outcome::ended ? process_->ended() : process_->end();
  process_.reset();
  throw WorkerDied{status};
}

NamedTensors RemoteModel::run(const NamedTensors& inputs, ApartTimes& times) {
  const std::string bytes = pack(inputs);
  const std::lock_guard lock(mutex_);
  for (int tries = 1;; ++tries) {
    try {
      if (!process_) load();
      process_->allow_cpu(seconds_ * threads_ + kGraceSeconds);
      const auto sent = std::chrono::system_clock::now();
      const Frame answer = ask(FrameKind::infer, {}, bytes);
      times = times_of(answer, sent, process_->pid);
      NamedTensors outputs = unpack_tensors(answer.bytes);
      if (are_as_told(outputs, outputs_)) {
        process_->rest();
        return outputs;
      }
      throw WorkerDied{process_->end()};
    } catch (const WorkerDied& died) {
      process_.reset();
      log_line("warning", "worker died", {{"model", name_}, {"how", ending_text(died.status)}});
      if (cause_of(died.status) != EndCause::crash || tries == 2) throw error_of(died.status);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::corrupt) process_.reset();  // it is not to be believed any more
      if (process_) process_->rest();
      throw;
    } catch (...) {
      process_.reset();  // in the middle of a message, perhaps
      throw;
    }
  }
}

}  // namespace skerry::serve
