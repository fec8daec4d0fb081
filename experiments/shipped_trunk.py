"""Makes a trunk that comes with clgan_tf: phase 1 of CLGAN+ on 20,000 sessions of the demo's traffic.

    python experiments/shipped_trunk.py REPRESENTATION

writes clgan_tf/trunks/REPRESENTATION.npz, in float16, which halves it. The traffic is made here, so that the file may
be given to anybody; encrypted bytes differ from one making to the next, and with them the weights. 6 minutes on one
core.
"""

import argparse
from pathlib import Path

import numpy as np

from clgan_tf import demo
from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.common.files import written_aside
from clgan_tf.main import main as run
from clgan_tf.training.trunk import FOLDER

SCALE = 5.0  # times the 4,008 sessions of `make demo`
SEED = 0


def main() -> None:
    """Makes traffic and trunk, and puts the trunk where --pretrain_from=shipped finds it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("representation", choices=list(REPRESENTATIONS))
    representation = parser.parse_args().representation
    root = Path("runs/shipped_trunk")
    demo.write_corpus(root / "captures", SEED, scale=SCALE)
    made = root / representation
    flags = [f"--source={root / 'captures'}", "--source_kind=demo", f"--representation={representation}"]
    flags += ["--test_fraction=0.01", "--validation_fraction=0.01", f"--dataset={made / 'dataset'}"]
    if status := run(["--mode=pretrain", *flags, f"--run_dir={made / 'run'}", f"--seed={SEED}", "--overwrite"]):
        raise SystemExit(status)
    with np.load(made / "run/trunk.npz") as arrays:
        halved = {name: one.astype(np.float16) if one.dtype == np.float32 else one for name, one in arrays.items()}
    with written_aside(FOLDER / f"{representation}.npz") as aside:
        np.savez(aside, **halved)


if __name__ == "__main__":
    main()
