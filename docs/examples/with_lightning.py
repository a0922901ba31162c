"""The parts of audiosurvey in Lightning: python with_lightning.py CONFIG FOLD"""

import sys

import lightning
import torch
from torch.utils.data import DataLoader

import audiosurvey
from audiosurvey import losses, metrics, splits


class Module(lightning.LightningModule):
    def __init__(self, config, sounds, split, fold):
        super().__init__()
        self.config, self.sounds, self.split = config, sounds, split
        self.network = audiosurvey.network(config, classes=len(sounds.table.classes), fold=fold)
        self.augment = audiosurvey.augmentation(config)
        self.loss = losses.loss(config, sounds, split.train)

    def training_step(self, batch, index):
        inputs = self.augment.spectrograms(batch["wave"], batch["clip"], self.current_epoch + 1)
        return self.loss(self.network(inputs), batch["target"]).mean()

    def configure_optimizers(self):
        optimizer = audiosurvey.optimizer(self.config, self.network)
        steps, lr = int(self.trainer.estimated_stepping_batches), self.config.config.train.lr
        factor = lambda step: audiosurvey.learning_rate(self.config, step, steps) / lr  # noqa: E731
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self):
        self.trainer.train_dataloader.dataset.epoch = self.current_epoch + 1


def train(config, fold=1, **options):
    config = audiosurvey.load_config(config)
    sounds = audiosurvey.prepare(config)
    split = splits.split(config, sounds, fold)
    module, settings = Module(config, sounds, split, fold), config.config.train
    clips = audiosurvey.ClipDataset(sounds, split.train, seed=config.config.seed)
    loader = DataLoader(clips, settings.batch_size, shuffle=True)
    trainer = lightning.Trainer(max_epochs=settings.epochs, logger=False, enable_checkpointing=False, **options)
    trainer.fit(module, loader)
    scores_NK = audiosurvey.scores(config, module.network, sounds, split.test)
    truth_NK = audiosurvey.ClipDataset(sounds, split.test).truth()
    return metrics.evaluate(scores_NK, truth_NK, multi_label=False, binary=False)


if __name__ == "__main__":
    print(train(sys.argv[1], int(sys.argv[2])))
