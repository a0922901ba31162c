// Runs the network beside the page: receives windows, answers scores. Appended to the script of ONNX Runtime Web.
let session = null;

self.onmessage = async ({ data }) => {
  try {
    if (data.model) {
      ort.env.wasm.numThreads = 1;
      ort.env.wasm.wasmBinary = data.wasm;
      session = await ort.InferenceSession.create(data.model, { executionProviders: ["wasm"], logSeverityLevel: 3 });
      self.postMessage({ id: data.id });
      return;
    }
    const input = new ort.Tensor("float32", data.window, [1, data.window.length]);
    const begun = performance.now();
    const { scores } = await session.run({ waveform: input });
    self.postMessage({ id: data.id, scores: scores.data, ms: performance.now() - begun });
  } catch (error) {
    self.postMessage({ id: data.id, fault: String(error?.message ?? error) });
  }
};
