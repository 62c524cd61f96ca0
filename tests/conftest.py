"""Options of the test run, and where the gpu engine is tested."""

import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files anew; read the diff"
    )


@pytest.fixture(autouse=True)
def _threads_as_they_were():
    """A test may set how many threads work; the next one has what it would have had."""
    from ruleonce.engines import threads

    before = threads._count, threads._is_set
    yield
    threads._count, threads._is_set = before


@pytest.fixture(
    params=[
        pytest.param("cpu", id="interpreted"),
        pytest.param("cuda", id="gpu", marks=pytest.mark.gpu),
    ]
)
def device(request):
    """The processor, where Triton's interpreter runs the kernels, and a GPU with `-m gpu`."""
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    return torch.device(request.param)
