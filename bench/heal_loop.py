"""Training steps with PEFT and PyTorch float32, one for each line of stdin, for bench/heal-against-peft.js.

    python bench/heal_loop.py MODEL SEQUENCES.json RANK THREADS

SEQUENCES.json holds the token ids of each step, [steps, sequences, tokens]. Prints a JSON line for each step: its
seconds, processor seconds and loss, and the largest memory of the process so far in MB.
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

if __name__ == "__main__":
    folder, sequences, rank, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(
        r=int(rank), lora_alpha=int(rank), lora_dropout=0, target_modules=["gate_proj", "up_proj", "down_proj"]
    )
    model = get_peft_model(model, config)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0)
    steps = json.loads(Path(sequences).read_text())
    print("ready", flush=True)
    for ids, _line in zip(steps, sys.stdin):
        start, used = time.perf_counter(), time.process_time()
        ids = torch.tensor(ids)
        loss = model(input_ids=ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1)
        optimizer.step()
        seconds, processor = time.perf_counter() - start, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        numbers = {"seconds": seconds, "processorSeconds": processor, "loss": loss.item(), "peakMegabytes": peak}
        print(json.dumps(numbers), flush=True)
