"""A pydantic-ai agent with a tool and its own OpenTelemetry. It needs the packages of requirements.txt."""
import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

# The name that boards and Tempo show, and the project in Phoenix. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT, or else to port 4318.
NAME = "example-pydantic-ai"
provider = TracerProvider(resource=Resource.create({"service.name": NAME, "openinference.project.name": NAME}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))

URL = os.getenv("VLLM_BASE_URL", "http://127.0.0.1:8000/v1")
server = OpenAIProvider(base_url=URL, api_key=os.getenv("VLLM_API_KEY", "none"))
MODEL = os.getenv("VLLM_MODEL", "Qwen/Qwen2.5-3B-Instruct")

# The name of the agent: pydantic-ai puts it on each of its spans.
owl = Agent(name="owl", instructions="You advise travellers.")


@owl.tool_plain
def forecast(place: str) -> str:
    """The weather of tomorrow at a place in the wood."""
    return f"{place}: dry in the morning, rain from noon"


# No server has the last model: this run fails, and the shipped policies keep each failed run.
for question, model in [
    ("Can I dry acorns in the clearing tomorrow?", MODEL),
    ("Is the path along the brook passable?", MODEL),
    ("Will it snow on the hill?", "a-model-that-nobody-has"),
]:
    try:
        print(question, owl.run_sync(question, model=OpenAIChatModel(model, provider=server)).output)
    except Exception as error:
        print(question, type(error).__name__, error)
provider.shutdown()  # sends what is still in the batch
