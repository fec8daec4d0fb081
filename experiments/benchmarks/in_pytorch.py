"""The networks of clgan, clgan_plus and clgan_lite in PyTorch, with a saved classifier's weights: for benchmarks alone.

Bytes uint8 [n, 28, 28, 1] -> class probabilities [n, K]. They give what the classifier gives, to rounding.
"""

import keras
import torch
from torch import Tensor, nn
from torch.nn import functional

from clgan_tf.models.byte_ngrams import COARSE, TINY, numbers
from clgan_tf.models.filling import NGRAMS

LEAK = 0.2


def network(classifier: keras.Model) -> nn.Module:
    """The twin of a saved classifier's network, in evaluation mode. Raises KeyError for a system that has none."""
    layers = {layer.name: layer for layer in _layers(classifier)}
    temperature = layers["probabilities"].temperature
    made: nn.Module
    if "scaling" in layers:
        made = Published(layers)
    elif "first_row" in layers:
        made = Plus(layers)
    else:
        made = Lite(layers)
    if NGRAMS in layers:
        made = Sum(made, Ngrams(layers[NGRAMS].table))
    return nn.Sequential(made, Softmax(temperature)).eval()


def _layers(model: keras.Model) -> list[keras.Layer]:
    """All layers, those of networks inside too."""
    found = []
    for layer in model.layers:
        found += _layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


class Softmax(nn.Module):
    """Logits over a temperature to probabilities."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, logits: Tensor) -> Tensor:
        """As clgan_tf.models.classifier.ClassProbabilities."""
        return torch.softmax(logits / self.temperature, dim=-1)


class Published(nn.Module):
    """The paper's discriminator: clgan_tf/models/discriminator.py."""

    def __init__(self, layers: dict[str, keras.Layer]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolution(layers[f"convolution_{index}"]) for index in (1, 2))
        self.lstm = lstm([layers["lstm"].cell])
        self.logits = dense(layers["logits"])

    def forward(self, images: Tensor) -> Tensor:
        """Pixels, two convolutions over 28 rows, an LSTM's last state."""
        x = images.reshape(-1, 28, 28).float() / 127.5 - 1
        for layer in self.convolutions:
            x = functional.leaky_relu(layer(x.transpose(1, 2)), LEAK).transpose(1, 2)
        _, (state, _) = self.lstm(x)
        return self.logits(state[0])


class Plus(nn.Module):
    """CLGAN+'s trunk: clgan_tf/models/clgan_plus.py."""

    def __init__(self, layers: dict[str, keras.Layer]) -> None:
        super().__init__()
        vectors = layers["byte_vectors"]
        self.values = nn.Parameter(torch.from_numpy(vectors.values.numpy()))
        self.positions = nn.Parameter(torch.from_numpy(vectors.positions.numpy()))
        self.rows = dense(layers["row_vectors"])
        self.convolutions = nn.ModuleList(convolution(layers[f"convolution_{index}"]) for index in (1, 2))
        self.scales = nn.ParameterList(
            scale(layers[f"{name}_normalisation"]) for name in ("row_vectors", "convolution_1", "convolution_2")
        )
        both = layers["lstm"]
        self.lstm = lstm([both.forward_layer.cell, both.backward_layer.cell])
        self.logits = dense(layers["logits"])

    def forward(self, images: Tensor) -> Tensor:
        """Byte vectors, rows, two convolutions, an LSTM both ways, three pools."""
        vectors = functional.embedding(images.reshape(-1, 784).int(), self.values) + self.positions
        x = normalised(self.rows(vectors.reshape(len(images), 28, -1)), self.scales[0])
        for layer, weights in zip(self.convolutions, list(self.scales)[1:], strict=True):
            x = normalised(layer(x.transpose(1, 2)).transpose(1, 2), weights)
        states, _ = self.lstm(x)
        return self.logits(torch.cat([states[:, 0], states.mean(1), states.amax(1)], dim=1))


class Lite(nn.Module):
    """CLGAN lite: clgan_tf/models/clgan_lite.py."""

    def __init__(self, layers: dict[str, keras.Layer]) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.from_numpy(layers["byte_vectors"].embeddings.numpy()))
        self.rows = dense(layers["row_vectors"])
        self.convolutions = nn.ModuleList(convolution(layers[f"convolution_{index}"]) for index in (1, 2))
        self.scales = nn.ParameterList(
            scale(layers[f"{name}_normalisation"]) for name in ("row_vectors", "convolution_1", "convolution_2")
        )
        self.lstm = lstm([layers["lstm"].cell])
        self.logits = dense(layers["logits"])

    def forward(self, images: Tensor) -> Tensor:
        """Byte vectors, rows, two convolutions, an LSTM from the end to the beginning, three pools."""
        vectors = functional.embedding(images.reshape(-1, 784).int(), self.values)
        x = normalised(self.rows(vectors.reshape(len(images), 28, -1)), self.scales[0])
        x = normalised(self.convolutions[0](x.transpose(1, 2)).transpose(1, 2), self.scales[1])
        x = functional.pad(x.transpose(1, 2), (1, 2))  # as TensorFlow pads an even length at a stride of 2
        x = normalised(functional.conv1d(x, self.convolutions[1].weight, self.convolutions[1].bias, 2).transpose(1, 2),
                       self.scales[2])  # fmt: skip
        states, _ = self.lstm(x.flip(1))
        return self.logits(torch.cat([states[:, -1], states.mean(1), states.amax(1)], dim=1))


class Ngrams(nn.Module):
    """What n-grams of bytes add to the logits: clgan_tf/models/byte_ngrams.py."""

    def __init__(self, table: keras.Variable) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.from_numpy(table.numpy()))

    def forward(self, images: Tensor) -> Tensor:
        """Looked up and added by one operation."""
        values, places = images.reshape(-1, 784).int(), torch.arange(784)
        sizes = torch.where(values > 0, places + 1, 0).amax(1, keepdim=True)
        padded = functional.pad(values, (0, 2))
        columns = numbers([padded[:, distance : 784 + distance] for distance in range(3)], places.int(), COARSE)
        kept = [torch.where(places < sizes, column, COARSE) for column in columns]
        total = functional.embedding_bag(torch.cat(kept, dim=1), self.table, mode="sum")
        return total[:, :-1] * torch.rsqrt(total[:, -1:].clamp(min=TINY))


class Sum(nn.Module):
    """Logits of several networks, added."""

    def __init__(self, *networks: nn.Module) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        """As clgan_tf.models.byte_ngrams.LogitsSum."""
        return torch.stack([network(images) for network in self.networks]).sum(0)


def dense(layer: keras.Layer) -> nn.Linear:
    """Keras's Dense."""
    kernel, bias = layer.get_weights()
    made = nn.Linear(*kernel.shape)
    made.weight.data, made.bias.data = torch.from_numpy(kernel.T.copy()), torch.from_numpy(bias)
    return made


def convolution(layer: keras.Layer) -> nn.Conv1d:
    """Keras's Conv1D of width 5, padded to the same length."""
    kernel, bias = layer.get_weights()
    made = nn.Conv1d(kernel.shape[1], kernel.shape[2], 5, padding=2)
    made.weight.data, made.bias.data = torch.from_numpy(kernel.transpose(2, 1, 0).copy()), torch.from_numpy(bias)
    return made


def lstm(cells: list[keras.Layer]) -> nn.LSTM:
    """Keras's LSTM, whose gates come in the same order; two cells are one both ways."""
    size, units = cells[0].kernel.shape[0], cells[0].units
    made = nn.LSTM(size, units, batch_first=True, bidirectional=len(cells) > 1)
    for cell, way in zip(cells, ("", "_reverse"), strict=False):
        getattr(made, f"weight_ih_l0{way}").data = torch.from_numpy(cell.kernel.numpy().T.copy())
        getattr(made, f"weight_hh_l0{way}").data = torch.from_numpy(cell.recurrent_kernel.numpy().T.copy())
        getattr(made, f"bias_ih_l0{way}").data = torch.from_numpy(cell.bias.numpy())
        getattr(made, f"bias_hh_l0{way}").data.zero_()
    return made


def scale(layer: keras.Layer) -> nn.Parameter:
    """The weights of Keras's RMSNormalization."""
    return nn.Parameter(torch.from_numpy(layer.get_weights()[0]))


def normalised(x: Tensor, weights: Tensor) -> Tensor:
    """RMSNormalization and the leaky ReLU behind it."""
    return functional.leaky_relu(functional.rms_norm(x, weights.shape, weights, 1e-6), LEAK)
