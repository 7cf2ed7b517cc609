"""The mLSTM of xLSTM (Beck et al., 2024): an LSTM with a matrix memory, computed in parallel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.cells.base import Cell, State
from models.padding import last_step, reverse_padded

CHUNK = 64  # steps computed at once: the cost of a chunk grows with its square
NEVER = -1e30  # the logarithm of an input gate on padding


class MLSTMCell(Cell):
    """A memory C [H, K] of values v under keys k, read by a query q; normaliser n [K], stabiliser m.

    q = W_q x,  k = W_k x / sqrt(K),  v = W_v x,  o = sigmoid(W_o x + b_o)
    log i = w_i x + b_i,  log f = log sigmoid(w_f x + b_f),  m' = max(log f + m, log i)
    C' = exp(log f + m - m') C + exp(log i - m') v k^T,  n' = exp(log f + m - m') n + exp(log i - m') k
    h' = o * C' q / max(|n' q|, exp(-m'))

    This is the form of one head, with keys of a size of their own, so that C has H K features. Gates do not depend on
    the state: ``scan`` computes the steps of a chunk at once, as the paper's parallel form, and loops over chunks.

    Args:
        input_size, hidden_size: as in ``Cell``.
        key_size: K.
        forget_bias: the initial bias of the forget gate; the paper starts it between 3 and 6.
    """

    def __init__(self, input_size: int, hidden_size: int, key_size: int, forget_bias: float) -> None:
        super().__init__(input_size, hidden_size)
        self.key_size = key_size
        self.sizes = [key_size, key_size, hidden_size, hidden_size, 1, 1]  # q, k, v, o, i, f
        self.linear = nn.Linear(input_size, sum(self.sizes))
        self.reset_parameters()
        nn.init.constant_(self.linear.bias[-1:], forget_bias)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size * self.key_size, self.key_size, 1

    def project(self, inputs: Tensor) -> Tensor:
        """q, k, v, o, log i and log f."""
        q, k, v, o, i, f = self.linear(inputs).float().split(self.sizes, dim=-1)
        return torch.cat([q, k * self.key_size**-0.5, v, torch.sigmoid(o), i, F.logsigmoid(f)], dim=-1)

    def step(self, projected: Tensor, state: State) -> State:
        outputs, state = self.chunk(projected.unsqueeze(1), state)
        return outputs.squeeze(1), *state[1:]

    def chunk(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """The steps of a chunk: ([B, L, P], state) -> (h' of every step [B, L, H], state after the last)."""
        q, k, v, o, log_i, log_f = projected.split(self.sizes, dim=-1)
        _, c, n, m = state
        c = c.unflatten(-1, (self.hidden_size, self.key_size)).to(v.dtype)
        decay = log_f.cumsum(dim=1)  # [B, L, 1], the log of the weight of the start
        logits = decay - decay.transpose(1, 2) + log_i.transpose(1, 2)  # [B, to, from]
        future = torch.ones(logits.shape[1:], dtype=torch.bool, device=q.device).triu(1)
        logits, start = logits.masked_fill(future, NEVER), decay + m.unsqueeze(1)
        m = torch.maximum(logits.amax(dim=2, keepdim=True), start)
        weights, start = torch.exp(logits - m), torch.exp(start - m)
        scores = weights * (q @ k.transpose(1, 2))
        values = scores @ v + start * (q @ c.transpose(1, 2))
        norms = scores.sum(dim=2, keepdim=True) + start * (q @ n.to(q.dtype).unsqueeze(-1))
        outputs = o * values / torch.maximum(norms.abs(), torch.exp(-m))
        last = weights[:, -1].unsqueeze(-1) * k
        c = start[:, -1:] * c + v.transpose(1, 2) @ last
        return outputs, (outputs[:, -1], c.flatten(1), start[:, -1] * n + last.sum(dim=1), m[:, -1])

    def scan(
        self, inputs: Tensor, mask: Tensor, state: State | None = None, reverse: bool = False
    ) -> tuple[Tensor, State]:
        state = start = self.initial_state(inputs) if state is None else state
        lengths, keep = mask.sum(dim=1), mask.unsqueeze(-1)
        inputs = reverse_padded(inputs, lengths) if reverse else inputs
        *others, log_i, log_f = self.project(inputs).split(self.sizes, dim=-1)
        projected = torch.cat([*others, log_i.masked_fill(~keep, NEVER), log_f.masked_fill(~keep, 0.0)], dim=-1)
        outputs = []
        for chunk in projected.split(CHUNK, dim=1):
            chunk_outputs, state = self.chunk(chunk, state)
            outputs.append(chunk_outputs)
        joined = torch.cat(outputs, dim=1)
        final = (last_step(joined, lengths, start[0]), *state[1:])
        joined = joined * keep
        return reverse_padded(joined, lengths) if reverse else joined, final

    def kernel_name(self, device: torch.device) -> str:
        return "parallel chunks"
