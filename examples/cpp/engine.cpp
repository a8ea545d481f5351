// An engine with two backends, one of which is lost in the middle: nobody who asks notices.
#include <cstdio>
#include <skerry/edge_engine.hpp>
#include <skerry/skerry.hpp>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: engine digits_cnn.onnx\n"), 2;
  const auto gpu =
      std::make_shared<skerry::MockGPUBackend>(skerry::MockDevice{}, skerry::MockFaults{.lost_at_kernel = 30});
  skerry::EngineConfig config{.workers = 2};
  config.backends = std::make_shared<skerry::BackendRegistry>();
  config.backends->add(std::make_shared<skerry::CPUBackend>());
  config.backends->add(gpu, 10);

  skerry::EdgeAIEngine engine(config);
  engine.init();
  engine.load("digits", argv[1]);
  const std::vector<float> pixels(64, 0.5F);
  const skerry::NamedTensors inputs = {{"x", skerry::Tensor::from<float>(pixels, {1, 1, 8, 8})}};
  float first = 0.0F;
  for (int request = 0; request < 10; ++request) {
    const skerry::Result result = engine.infer("digits", inputs, {.priority = 0});
    const float logit = result.tensors[0].second.as<float>()[0];
    if (request == 0) first = logit;
    if (logit - first > 1e-4F || first - logit > 1e-4F) return 1;
  }
  const skerry::BackendRow row = config.backends->rows()[0];
  std::printf("%s ran %llu kernels and was lost; ten answers are right\n", row.name.c_str(),
              static_cast<unsigned long long>(gpu->counters().kernels));
  return engine.shutdown() && !row.healthy ? 0 : 1;
}
