"""Serve trained models as a web page and as JSON: ``python -m tasks.serve run=DIR [run=DIR ...]``.

The page needs no network. It shows labels with their probabilities and the words that moved them, tags over words,
translations with the n best and an attention map, captions with the attention over the image, forecasts as charts, or
the answers after every token; with several runs, their answers stand side by side. /openapi.json describes the JSON
interface. The service listens on this machine only, unless host= says otherwise; it keeps and logs nothing of what is
sent to it. SIGTERM or Ctrl-C ends it, after what has come in is answered.
"""

from deployment.serving import main
from tasks import predictor_type
from training.predict import Predictor


def load(run: str, device: str) -> Predictor:
    """The predictor of a run folder, with the options for what people type into a page."""
    found = predictor_type(run)
    return found.of(run, device=device, **found.served_with)


if __name__ == "__main__":
    main(load, __doc__)
