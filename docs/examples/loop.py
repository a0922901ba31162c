"""A training loop of one's own, with the parts of audiosurvey: python loop.py CONFIG FOLD"""

import sys

import torch

import audiosurvey
from audiosurvey import losses, metrics, splits


def train(config, fold=1):
    config = audiosurvey.load_config(config)
    sounds = audiosurvey.prepare(config)
    split = splits.split(config, sounds, fold)
    augment = audiosurvey.augmentation(config, split.train)
    batches = audiosurvey.batches(config, sounds, split.train, augment)
    network = audiosurvey.network(config, classes=len(sounds.table.classes), fold=fold)
    loss = losses.loss(config, sounds, split.train)
    optimizer = audiosurvey.optimizer(config, network)
    average = audiosurvey.average(config, network)
    norms = audiosurvey.FirstBatches(network)
    epochs, step = config.config.train.epochs, 0
    torch.manual_seed(config.config.seed)  # of dropout
    for epoch in range(1, epochs + 1):
        network.train()
        total = 0.0
        for batch in batches.epoch(epoch):
            for group in optimizer.param_groups:
                group["lr"] = audiosurvey.learning_rate(config, step, epochs * len(batches))
            inputs, targets = augment(batch)
            norms.next_batch()
            value = loss.of(network(inputs), targets).mean()
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            average.update(network, step)
            step += 1
            total += value.item() / len(batches)
        print(f"epoch {epoch}: loss {total:.4f}")
    scores_NK = audiosurvey.scores(config, average.network, sounds, split.test)
    truth_NK = audiosurvey.ClipDataset(sounds, split.test).truth()
    return metrics.evaluate(scores_NK, truth_NK, multi_label=False, binary=False)


if __name__ == "__main__":
    print(train(sys.argv[1], int(sys.argv[2])))
