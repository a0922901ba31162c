# ruff: noqa: E501
"""The hand-written parts of docs/config.md: how configs are read, and differences from the original system."""

HEAD = """\
<!-- Made by `python -m audiosurvey.config.manual.manual` from the config classes; edit those, or manual_parts.py. -->

# The config

One YAML file describes an experiment. Every key has a default, so that `dataset: {name: folder, root: sounds}` is a
complete config. `audiosurvey init` writes a commented template. `audiosurvey check CONFIG` reports all errors in a
config and anything missing on this machine (weights, impulse responses, packages), and prints the config with all
defaults filled in.

- **CONFIG** is a file or the name of a built-in preset, as listed by `audiosurvey presets`.
- **Numbers** can be written as `30_000`, `1e-3` or `.5`. Text needs quotes only if it looks like a number; `no` and `on`
  are text where text is expected, and booleans where a boolean is expected.
- **Unknown keys and values out of range** are errors. All errors are reported at once, one per line, with exit status 2:

  ```
  config.yaml:34: augmentation.noise.min_snr: unknown key; did you mean min_snr_db?
  config.yaml:41: precision: 'bf61' is not one of auto, fp32, bf16, fp16; did you mean bf16?
  ```

- Likely mistakes (empty mel filters, settings without effect) are **warnings** of the same form.
- A missing or empty section has its default values. A config without any `mel_spectrogram` or `augmentation` section has
  other defaults for these two; see there.
- The **resolved config**, saved with every run, contains all values and is itself a valid config.

## Changing keys from the command line: `--set`

`--set KEY=VALUE` overrides a key. It can be repeated; later values win. KEY is a path with dots, with list items counted
from 0, and VALUE is YAML.

```
audiosurvey train original --set train.lr=1e-3 --set model.blocks.3.res=[64,64] --set augmentation={}
```

Missing sections are created. `augmentation={}` and `augmentation=null` both reset a section to the defaults of its keys,
which for `mel_spectrogram` and `augmentation` differ from those of a config without the section. Setting another key in
a block replaces the block. A preset in `model.preset` is expanded first, so that its blocks can be changed. Errors in
these values start with `--set KEY:` instead of a line number. Use quotes where the shell needs them:
`--set 'model={preset: cnn6}'`.

## Completion in editors

`audiosurvey check --schema > audiosurvey.schema.json` writes the JSON Schema of the config. Editors with a YAML language
server use it for completion and validation if the file starts with
`# yaml-language-server: $schema=audiosurvey.schema.json`.
"""

DEPARTURES = """\
## Deliberate differences from the original system

Configs of the original system load unchanged, and their keys have the same meaning, with these exceptions:

| what | the original | here |
|---|---|---|
| `augmentation.*.p` | one draw per batch: all clips share masks and rooms | a probability per clip, with separate draws |
| `augmentation.shorten` | none: the network never sees padding in training | on by default; `p: 0` disables it |
| selected epoch | the best on the test fold, with early stopping on it | `protocol.selection`: the best on a validation fold with early stopping, otherwise the last; `test` is available and marked as optimistic |
| `train.epochs` with a `patience` | has no effect | the maximum; 0 or null: early stopping alone decides |
| `accum_iter` | the losses of accumulated batches are summed | the loss is averaged over all clips of the accumulated batches, including a smaller last one |
| `weight_decay` | on every tensor | on tensors with two or more dimensions (`optimizer.decay_all: true` for all) |
| `precision` | float32 | `auto`: bf16 if the device is fast in it; evaluation always uses float32 |
| `dropblock.dp`, `drop` | the dropped fraction is far from `dp` (17.7 % for 32 x 4 blocks at 0.5) | the actual mean fraction (`gamma: paper` for the formula of the paper) |
| `dropblock` on the spectrogram | rescales the rest | fills with silence without rescaling; the `drop` block rescales per clip |
| masked cells | zero | the value of silence, or the mean of the clip (`fill: mean`) |
| pretraining | the new classifier is created after the optimizer and never trained | it is trained with the rest |
| `pooling` with `flat: false` | averages over channels | pools over frames and bands, and keeps the channels |
| `use_checkpoint` | batch-norm statistics are updated twice | once |
| silent clips | become NaN and are dropped, even in evaluation | stay silent and are evaluated |
| long clips in evaluation | a random crop | the scores of windows that cover the clip are averaged |

The README of the original system swaps the descriptions of `grad_clip_value` and `grad_clip_norm`. Here they mean what
their names say: clipping of each element, and of the global norm.

Details that the original system leaves open:

- `epochs: 0` without a `patience` is an error, and so is a `patience` with an explicit `selection: last`, which would not
  use it. Early stopping monitors accuracy, with ties decided by the loss.
- `noise`: the signal-to-noise ratio is drawn uniformly between both bounds, in either order, and refers to the mean power
  of the clip without padding.
- `time_shift`: the clip is split at random points, and each part is stretched or compressed; the total length stays the
  same.
- `time_masking.tmp` is in frames, `freq_masking.fmp` in mel bands; each of `num` masks has a random width below it.
- An even kernel side of a `res` block is dilated by 2, so that 'same' padding is symmetric.
- `swiglu` halves the last axis (bands of a map, or features); the first half is the value, the second the gate.
- `mel_spectrogram.n_fft` defaults to the window length in samples.
- Order: reverb, time_shift, noise; the mel spectrogram; dropblock, time masks, frequency masks.
"""
