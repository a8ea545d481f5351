// A model of ONNX Runtime behind the least HTTP that can carry it; a peer of bench/serving.py.
//
//   serving_ort LIBRARY MODEL.onnx THREADS FLOATS_IN FLOATS_OUT DIM...
//
// Every thread has its own epoll and its own listening socket on one port (SO_REUSEPORT), reads a request, runs the
// model on the last FLOATS_IN float32 of its body at once, and answers a fixed head, a fixed JSON and FLOATS_OUT raw
// float32: no checks, no queue, no names. The runtime's library is that of its Python package, which has no headers:
// its C API is a table whose order is frozen, the few places that are used are named below. Prints its port.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Status = void*;  // null: well
enum Slot {            // of the C API's table
  kErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSession = 7,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetGraphOptimization = 23,
  kSetIntraOpThreads = 24,
  kSetInterOpThreads = 25,
  kInputName = 36,
  kOutputName = 37,
  kTensorWithData = 49,
  kCpuMemory = 69,
  kDefaultAllocator = 78,
  kReleaseValue = 96,
};

void* const* table = nullptr;

template <class... Words>
void call(Slot slot, Words... words) {
  const Status failed = reinterpret_cast<Status (*)(Words...)>(table[slot])(words...);
  if (failed == nullptr) return;
  std::fprintf(stderr, "%s\n", reinterpret_cast<const char* (*)(Status)>(table[kErrorMessage])(failed));
  std::exit(1);
}

struct Model {
  void* session = nullptr;
  void* memory = nullptr;
  char* input = nullptr;
  char* output = nullptr;
  std::vector<std::int64_t> in_dims, out_dims;
  std::size_t in_bytes = 0, out_bytes = 0;
};

Model load(const char* library, const char* file) {
  void* opened = dlopen(library, RTLD_NOW);
  if (opened == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
  struct Base {
    void* const* (*api)(std::uint32_t);
  };
  table = reinterpret_cast<const Base* (*)()>(dlsym(opened, "OrtGetApiBase"))()->api(1);
  Model model;
  void *env = nullptr, *options = nullptr, *allocator = nullptr;
  call(kCreateEnv, 3, "peer", &env);
  call(kCreateSessionOptions, &options);
  call(kSetIntraOpThreads, options, 1);
  call(kSetInterOpThreads, options, 1);
  call(kSetGraphOptimization, options, 99);
  call(kCreateSession, env, file, options, &model.session);
  call(kDefaultAllocator, &allocator);
  call(kInputName, model.session, std::size_t{0}, allocator, &model.input);
  call(kOutputName, model.session, std::size_t{0}, allocator, &model.output);
  call(kCpuMemory, 1, 0, &model.memory);
  return model;
}

void* tensor(const Model& model, void* data, std::size_t bytes, const std::vector<std::int64_t>& dims) {
  void* value = nullptr;
  call(kTensorWithData, model.memory, data, bytes, dims.data(), dims.size(), 1, &value);
  return value;
}

void run(const Model& model, char* input, char* output) {
  void* in = tensor(model, input, model.in_bytes, model.in_dims);
  void* out = tensor(model, output, model.out_bytes, model.out_dims);
  call(kRun, model.session, static_cast<void*>(nullptr), &model.input, &in, std::size_t{1}, &model.output,
       std::size_t{1}, &out);
  for (void* value : {in, out}) reinterpret_cast<void (*)(void*)>(table[kReleaseValue])(value);
}

int listening(std::uint16_t& port) {
  const int made = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (bind(made, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || listen(made, 1024) != 0) std::exit(1);
  getsockname(made, reinterpret_cast<sockaddr*>(&at), &size);
  port = ntohs(at.sin_port);
  return made;
}

// Whole requests at the front: answered and taken away.
void answer_all(const Model& model, std::string& bytes, std::string& answers) {
  constexpr std::string_view kJson = R"({"model_name":"digits","outputs":[{"name":"logits","datatype":"FP32"}]})";
  std::vector<float> in(model.in_bytes / 4), out(model.out_bytes / 4);
  for (;;) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::size_t named = bytes.find("\r\nContent-Length: ");
    std::size_t length = 0;
    if (named < end) std::from_chars(bytes.data() + named + 18, bytes.data() + end, length);
    if (bytes.size() < end + 4 + length) return;
    std::memcpy(in.data(), bytes.data() + end + 4 + length - model.in_bytes, model.in_bytes);
    run(model, reinterpret_cast<char*>(in.data()), reinterpret_cast<char*>(out.data()));
    answers += "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: ";
    answers += std::to_string(kJson.size());
    answers += "\r\nContent-Length: ";
    answers += std::to_string(kJson.size() + model.out_bytes);
    answers += "\r\n\r\n";
    answers += kJson;
    answers.append(reinterpret_cast<const char*>(out.data()), model.out_bytes);
    bytes.erase(0, end + 4 + length);
  }
}

void serve(const Model& model, int door) {
  const int poll = epoll_create1(0);
  const auto watch = [poll](int socket) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event);
  };
  watch(door);
  std::map<int, std::string> open;  // what came and is not answered yet
  std::array<epoll_event, 128> events;
  std::vector<char> buffer(1 << 16);
  std::string answers;
  for (;;) {
    const int ready = epoll_wait(poll, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      const int socket = events[static_cast<std::size_t>(i)].data.fd;
      if (socket == door) {
        const int client = accept(door, nullptr, nullptr);
        const int on = 1;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        open[client];
        watch(client);
        continue;
      }
      const ssize_t got = recv(socket, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        close(socket);
        open.erase(socket);
        continue;
      }
      std::string& bytes = open[socket];
      bytes.append(buffer.data(), static_cast<std::size_t>(got));
      answers.clear();
      answer_all(model, bytes, answers);
      if (!answers.empty()) send(socket, answers.data(), answers.size(), MSG_NOSIGNAL);
    }
  }
}

}  // namespace

int main(int count, char** words) {
  if (count < 7) return 2;
  Model model = load(words[1], words[2]);
  model.in_bytes = 4 * std::strtoull(words[4], nullptr, 10);
  model.out_bytes = 4 * std::strtoull(words[5], nullptr, 10);
  for (int i = 6; i < count; ++i) model.in_dims.push_back(std::atoi(words[i]));
  model.out_dims = {1, static_cast<std::int64_t>(model.out_bytes / 4)};
  std::uint16_t port = 0;
  std::vector<int> doors;
  for (int i = 0; i < std::atoi(words[3]); ++i) doors.push_back(listening(port));
  std::printf("%u\n", port);
  std::fflush(stdout);
  std::vector<std::thread> threads;
  for (const int door : doors) threads.emplace_back([&model, door] { serve(model, door); });
  for (std::thread& thread : threads) thread.join();
}
