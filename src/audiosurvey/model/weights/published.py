"""The weights that `model.init` takes by name: where their authors published them. Loads no torch.

`_as`, and all of PANNs and CED: trained on AudioSet.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A file that its authors published."""

    url: str
    digest: str | None = None
    """`sha256:...` or `md5:...` of the file, where one is published."""
    licence: str | None = None
    """Under which its authors published it."""

    @property
    def file(self) -> str:
        return self.url.split("?")[0].rsplit("/", 1)[-1].replace("%3D", "=")


def _efficientat(file: str, sha256: str | None = None) -> Published:
    url = f"https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/{file}"
    return Published(url, f"sha256:{sha256}" if sha256 else None, "MIT")


def _panns(file: str, md5: str | None = None) -> Published:
    url = f"https://zenodo.org/records/3987831/files/{file.replace('=', '%3D')}?download=1"
    return Published(url, f"md5:{md5}" if md5 else None, "CC BY 4.0")


def _ced(record: int, file: str) -> Published:
    return Published(f"https://zenodo.org/records/{record}/files/{file}?download=1", licence="Apache-2.0")


PUBLISHED = {
    "efficientat/mn01_as": _efficientat("mn01_as_mAP_298.pt"),
    "efficientat/mn02_as": _efficientat("mn02_as_mAP_378.pt"),
    "efficientat/mn04_as": _efficientat(
        "mn04_as_mAP_432.pt", "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
    ),
    "efficientat/mn05_as": _efficientat("mn05_as_mAP_443.pt"),
    "efficientat/mn10_as": _efficientat(
        "mn10_as_mAP_471.pt", "0bd7dc2443af498c289a2e739f02ebb515d6aa3fd3ab9db539c86123ae368a4e"
    ),
    "efficientat/mn20_as": _efficientat("mn20_as_mAP_478.pt"),
    "efficientat/mn30_as": _efficientat("mn30_as_mAP_482.pt"),
    "efficientat/mn40_as": _efficientat("mn40_as_mAP_484.pt"),
    "efficientat/mn40_as_ext": _efficientat("mn40_as_ext_mAP_487.pt"),
    "efficientat/mn40_as_no_im_pre": _efficientat("mn40_as_no_im_pre_mAP_483.pt"),
    "efficientat/mn10_as_hop_5": _efficientat("mn10_as_hop_5_mAP_475.pt"),
    "efficientat/mn10_as_hop_15": _efficientat("mn10_as_hop_15_mAP_463.pt"),
    "efficientat/mn10_as_hop_20": _efficientat("mn10_as_hop_20_mAP_456.pt"),
    "efficientat/mn10_as_hop_25": _efficientat("mn10_as_hop_25_mAP_447.pt"),
    "efficientat/mn10_as_mels_40": _efficientat("mn10_as_mels_40_mAP_453.pt"),
    "efficientat/mn10_as_mels_64": _efficientat("mn10_as_mels_64_mAP_461.pt"),
    "efficientat/mn10_as_mels_256": _efficientat("mn10_as_mels_256_mAP_474.pt"),
    "panns/cnn6": _panns("Cnn6_mAP=0.343.pth", "e25e26b84585b14c7754c91e48efc9be"),
    "panns/cnn10": _panns("Cnn10_mAP=0.380.pth", "bfb1f1f9968938fa8ef4012b8471f5f6"),
    "panns/cnn14": _panns("Cnn14_mAP=0.431.pth", "541141fa2ee191a88f24a3219fff024e"),
    "panns/cnn14_16k": _panns("Cnn14_16k_mAP=0.438.pth"),
    "panns/resnet22": _panns("ResNet22_mAP=0.430.pth", "cf36d413096793c4e15dc752a3abd599"),
    "panns/resnet38": _panns("ResNet38_mAP=0.434.pth", "bf12f36aaabac4e0855e22d3c3239c1b"),
    "panns/resnet54": _panns("ResNet54_mAP=0.429.pth", "4f1f1406d37a29e2379916885e18c5f3"),
    "panns/mobilenetv1": _panns("MobileNetV1_mAP=0.389.pth"),
    "panns/mobilenetv2": _panns("MobileNetV2_mAP=0.383.pth"),
    "panns/wavegram-cnn14": _panns("Wavegram_Cnn14_mAP=0.389.pth", "1e3506ab640371e0b5a417b15fd66d21"),
    "panns/wavegram-logmel-cnn14": _panns("Wavegram_Logmel_Cnn14_mAP=0.439.pth", "17fa9ab65af3c0eb5ffbc5f65552c4e1"),
    "ced/ced-tiny": _ced(8275347, "audiotransformer_tiny_mAP_4814.pt"),
    "ced/ced-mini": _ced(8275347, "audiotransformer_mini_mAP_4896.pt"),
    "ced/ced-small": _ced(8275319, "audiotransformer_small_mAP_4958.pt"),
    "ced/ced-base": _ced(8275347, "audiotransformer_base_mAP_4999.pt"),
}
