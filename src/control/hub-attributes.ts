/** The first commit of a model or a dataset: which files are large ones by their names, as on the Hub. */
const largeFiles: readonly string[] = [
  "*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gguf", "*.gz", "*.h5", "*.joblib", "*.lz4", "*.mlmodel", "*.model",
  "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet", "*.pb", "*.pickle", "*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors",
  "saved_model/**/*", "*.tar", "*.tar.*", "*.tflite", "*.tgz", "*.wasm", "*.xz", "*.zip", "*.zst", "*tfevents*",
]; // prettier-ignore

export const firstAttributes = largeFiles.map((pattern) => `${pattern} filter=lfs diff=lfs merge=lfs -text\n`).join("");
