"""Orthogonal recurrent weights for the cells of a model."""

from torch import nn

from models.cells.base import Cell


def orthogonal_recurrence(model: nn.Module) -> int:
    """Let every matrix that a cell multiplies its hidden state with start orthogonal (Saxe et al., 2014).

    Each gate has a matrix of its own. Cells whose recurrence has no such matrix stay as they are.

    Returns:
        the number of matrices.
    """
    cells = [module for module in model.modules() if isinstance(module, Cell)]
    layers = [getattr(cell, "linear_hh", None) for cell in cells]
    weights = [layer.weight for layer in layers if isinstance(layer, nn.Linear)]
    gates = [gate for weight in weights for gate in weight.split(weight.shape[1])]
    for gate in gates:
        nn.init.orthogonal_(gate)
    return len(gates)
