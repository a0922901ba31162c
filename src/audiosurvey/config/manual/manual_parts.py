# ruff: noqa: E501
"""The parts of docs/config.md that are written by hand: how configs are read, and where we depart."""

HEAD = """\
<!-- Made by `python -m audiosurvey.config.manual.manual` from the config classes; edit those, or manual_parts.py. -->

# The config

One YAML file describes an experiment. Every key has a default: `dataset: {name: folder, root: sounds}` alone trains.
`audiosurvey init` writes a commented file to start from, `audiosurvey check CONFIG` says what is wrong with one, or what
it names and this machine has not (weights, impulse responses, packages), and prints it with every value filled in.

- **CONFIG** is a file, or the name of a shipped preset (`audiosurvey presets` lists them).
- **Numbers** may be written as `30_000`, `1e-3` or `.5`. Text needs no quotes unless it looks like a number; `no` and
  `on` are text where text is expected, and a choice where yes or no is.
- **Unknown keys are refused**, as are values out of range. All faults are told at once, one line each, with exit
  status 2:

  ```
  config.yaml:34: augmentation.noise.min_snr: unknown key; did you mean min_snr_db?
  config.yaml:41: precision: 'bf61' is not one of auto, fp32, bf16, fp16; did you mean bf16?
  ```

- What runs but is likely a mistake (mel filters that no sound reaches, a setting that changes nothing beside the others)
  is a **warning** of the same form.
- A section that is left out, or left empty, has its defaults. (`mel_spectrogram` is the one section whose defaults
  depend on that: see there.)
- The **resolved config** that is saved with every run says every value, and is itself a valid config.

## Changing keys from the command line: `--set`

`--set KEY=VALUE` overrides any key; it can be given many times, and the later one wins. The key is the way to it, with
dots; items of a list are counted from 0. The value is YAML.

```
audiosurvey train original --set train.lr=1e-3 --set model.blocks.3.res=[64,64] --set augmentation={}
```

Sections on the way are made where they are missing; `augmentation={}` and `augmentation=null` both put a whole section
back to the defaults of its keys. (A config without the section at all has defaults of its own for `mel_spectrogram` and
`augmentation`.) Another key for a block makes it another block. A preset named in `model.preset` is filled in
first, so that its blocks can be changed one by one. Faults in such values read `--set KEY: ...` instead of a line of
the file. Quote what the shell would take for its own: `--set 'model={preset: cnn6}'`.

## Completion in editors

`audiosurvey check --schema > audiosurvey.schema.json` writes the JSON Schema of the config. Editors with a YAML language
server complete and check a file that begins with `# yaml-language-server: $schema=audiosurvey.schema.json`.
"""

DEPARTURES = """\
## Deliberate departures from the original

A config written for the original system loads unchanged, and its keys keep their meaning, but for these:

| what | the original | here |
|---|---|---|
| `augmentation.*.p` | one draw a batch: all clips share masks and rooms | the chance for each single clip; every clip has its own draw |
| `augmentation.shorten` | none: a clip shorter than the window is new to the network | on by default: some clips are shortened, `p: 0` switches it off |
| which epoch counts | the best on the test fold, with early stopping on it | `protocol.selection`: a held-out fold where there is a patience, else the last epoch; `test` is allowed and marked optimistic |
| `train.epochs` with a `patience` | never ends training | the upper bound; with 0 or none, patience alone decides |
| `accum_iter` | the losses of the group are summed | the loss is averaged over the clips of the group, the short last one included |
| `weight_decay` | on every tensor | on tensors of two or more dimensions (`optimizer.decay_all: true` for the old way) |
| `precision` | float32 | `auto`: bf16 where the device is fast in it; evaluation is always float32 |
| `dropblock.dp`, `drop` | realised shares far from `dp` (32 x 4 blocks at 0.5 cover 17.7 %) | the realised mean share (`gamma: paper` gives the paper's formula) |
| `dropblock` on the spectrogram | rescales what is left | fills with silence, does not rescale; the network's `drop` does, per clip |
| masked cells | zero | the value of silence (`fill: mean` is another choice) |
| pretraining | the new classifier is made after the optimizer, and never learns | it learns with the rest |
| `pooling` with `flat: false` | averages the channels away | pools over frames and bands, keeps the channels |
| `use_checkpoint` | batch-norm statistics are updated twice | once |
| silent clips | become NaN and are dropped, in evaluation too | stay silent, and count |
| long clips in evaluation | a random crop | windows that cover the clip, whose scores are averaged |

The original's README swaps the descriptions of `grad_clip_value` and `grad_clip_norm`; the names win: the first bounds
each element, the second the global norm.

What the original left open is fixed as follows.

- `epochs: 0` without a `patience` is an error, as is a `patience` beside `selection: last` chosen explicitly: nothing
  would use it. The monitored score is accuracy, ties by loss.
- `noise`: the ratio is drawn evenly between the two bounds, whichever is the greater, and refers to the clip's mean power
  before padding.
- `time_shift`: the clip is split at random points, and each part stretched or compressed; the total length stays.
- `time_masking.tmp` counts frames, `freq_masking.fmp` bands; `num` masks, each of even random width below that.
- An even kernel side of a `res` block gets dilation 2, so that 'same' padding stays symmetric.
- `swiglu` halves the last axis (bands of a map, or features); the first half is the value, the second the gate.
- `mel_spectrogram.n_fft` is the window in samples unless given.
- Order: reverb, time_shift, noise; the mel spectrogram; dropblock, time masks, frequency masks.
"""
