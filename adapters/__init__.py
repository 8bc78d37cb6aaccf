"""Behaviour: data sets, the LoRA adapter that labels tickets, its calibration, and the encoder that serves both.

Knows nothing of documents. The one folder that imports torch, transformers and peft.
"""

from __future__ import annotations

import logging
import os

# peft imports bitsandbytes wherever it is installed, which then tells of kernels that a CPU does without.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
# Tokenizers are called from one thread here, and their own pool warns when a process forks.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
