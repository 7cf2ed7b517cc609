"""Features of images by a network of torchvision with the user's weights: an extra, ``rnnbench[torchvision]``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from data.captioning import CaptionedImage, ImageCodec, resized
from data.errors import InputError, first_line, shorten


class BackboneCodec(ImageCodec):
    """Features that a network computes from the centre crop of an image: [G, F], float16, once for every image.

    The network is not trained further. Its weights are saved with a run.

    Args:
        network: a name in ``torchvision.models``, such as ``resnet18``.
        weights: a file with its parameters, ``.safetensors`` or a state dictionary of ``torch.save``.
        node: the module whose outputs are the features, such as ``layer4`` of a ResNet.
        image_size: the side that images are resized to, in pixels.
        mean, std: of the channels of the images that the network was trained on, of values from 0 to 1.
    """

    file = "backbone.safetensors"
    dtype = np.float16

    def __init__(
        self, network: str, weights: str, node: str, image_size: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        if not 1 <= image_size <= 4096:
            raise InputError(f"codec.images.image_size={image_size}: give 1 to 4096 pixels.")
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise InputError("codec.images.mean and codec.images.std: give three numbers each, those of std above 0.")
        self.network, self.weights, self.node, self.image_size = network, weights, node, image_size
        self.mean, self.std = torch.tensor(mean), torch.tensor(std)

    def fit(self, train: Sequence[CaptionedImage]) -> None:
        """Load the user's weights."""
        self.set_network(Path(self.weights))

    def set_network(self, weights: Path) -> None:
        self.model = built_network(self.network)
        load_weights(self.model, weights)
        module = dict(self.model.named_modules()).get(self.node)
        if module is None or not self.node:
            names = [name for name, _ in self.model.named_children()]
            raise InputError(
                f"codec.images.node={shorten(self.node)}: {self.network} has no such module: choose one as "
                f"{', '.join(names)}."
            )
        module.register_forward_hook(self.keep)
        self.shape = self.features(np.zeros((self.image_size, self.image_size, 3), np.uint8)).shape
        self.input_size = self.shape[1]

    def keep(self, module: nn.Module, inputs: Any, outputs: Tensor) -> None:
        self.outputs = outputs

    @torch.no_grad()
    def features(self, pixels: np.ndarray) -> np.ndarray:
        """[H, W, 3] uint8 -> [G, F]."""
        values = (torch.from_numpy(pixels.copy()).float() / 255 - self.mean) / self.std
        try:
            self.model(values.permute(2, 0, 1).unsqueeze(0))
        except RuntimeError as error:
            raise InputError(
                f"codec.images.image_size={self.image_size}: {self.network} cannot read images of this size "
                f"({first_line(error)})."
            ) from None
        found = self.outputs.flatten(2).transpose(1, 2) if self.outputs.dim() == 4 else self.outputs
        if found.dim() != 3:
            raise InputError(
                f"codec.images.node={self.node}: its outputs {list(found.shape)} are not a grid: choose another module."
            )
        return found[0].half().numpy()

    def array(self, example: CaptionedImage) -> np.ndarray:
        return self.features(resized(example, self.image_size)) if example.array is None else example.array

    def read(self, path: str) -> np.ndarray:
        return self.features(resized(CaptionedImage(path, ()), self.image_size))

    def save(self, directory: Path) -> None:
        from safetensors.torch import save_model

        save_model(self.model, str(directory / self.file))

    def load(self, directory: Path) -> None:
        self.set_network(directory / self.file)


def built_network(name: str) -> nn.Module:
    """A network of torchvision with random weights, in evaluation mode.

    Raises:
        InputError: torchvision is not installed or does not fit to torch, or has no such network.
    """
    try:
        from torchvision import models
    except (ImportError, RuntimeError) as error:  # of a build for another torch
        raise InputError(
            f"images=torchvision needs torchvision ({first_line(error)}): pip install 'rnnbench[torchvision]', in the "
            f"same build, CPU or CUDA, as torch; or compute features elsewhere and give them with images=features."
        ) from None
    known = models.list_models(module=models)
    if name not in known:
        raise InputError(f"codec.images.network={shorten(name)}: torchvision has {shorten(', '.join(known), 300)}.")
    return models.get_model(name, weights=None).eval()


def load_weights(model: nn.Module, path: Path) -> None:
    """Read the parameters of a network.

    Raises:
        InputError: there is no such file, it is damaged, or it has the parameters of another network.
    """
    if not path.is_file():
        raise InputError(f"codec.images.weights={shorten(path, 300)}: there is no such file of weights.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_model

            load_model(model, path)
        else:
            model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # damaged files raise errors of many types
        raise InputError(f"{path} has no weights of this network, or is damaged ({first_line(error)}).") from None
