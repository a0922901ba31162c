"""The parts of audiosurvey in the Trainer of Hugging Face: python with_transformers.py CONFIG FOLD"""

import sys
import tempfile

import torch
from torch.utils.data import default_collate
from transformers import Trainer, TrainerCallback, TrainingArguments

import audiosurvey
from audiosurvey import losses, metrics, splits


class Model(torch.nn.Module):
    """What the Trainer expects: a module that returns the loss of a batch."""

    def __init__(self, config, sounds, split, fold):
        super().__init__()
        self.network = audiosurvey.network(config, classes=len(sounds.table.classes), fold=fold)
        self.augment = audiosurvey.augmentation(config)
        self.loss = losses.loss(config, sounds, split.train)
        self.epoch = 1

    def forward(self, wave, target, label, clip):
        logits_BK = self.network(self.augment.spectrograms(wave, clip, self.epoch))
        return {"loss": self.loss(logits_BK, target).mean(), "logits": logits_BK}


class CountEpochs(TrainerCallback):
    def on_epoch_begin(self, args, state, control, model, train_dataloader, **more):
        model.epoch = train_dataloader.dataset.epoch = int(state.epoch) + 1


def train(config, fold=1, **options):
    config = audiosurvey.load_config(config)
    sounds = audiosurvey.prepare(config)
    split = splits.split(config, sounds, fold)
    model, settings = Model(config, sounds, split, fold), config.config.train
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_size,
            lr_scheduler_type="cosine",
            remove_unused_columns=False,
            save_strategy="no",
            report_to=[],
            **options,
        )
        trainer = Trainer(
            model,
            arguments,
            default_collate,
            audiosurvey.ClipDataset(sounds, split.train, seed=config.config.seed),
            callbacks=[CountEpochs()],
            optimizers=(audiosurvey.optimizer(config, model.network), None),
        )
        trainer.train()
    scores_NK = audiosurvey.scores(config, model.network, sounds, split.test)
    truth_NK = audiosurvey.ClipDataset(sounds, split.test).truth()
    return metrics.evaluate(scores_NK, truth_NK, multi_label=False, binary=False)


if __name__ == "__main__":
    print(train(sys.argv[1], int(sys.argv[2])))
