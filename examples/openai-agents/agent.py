"""Two agents of the OpenAI Agents SDK, one with a tool, seen through OpenInference. It needs the packages of requirements.txt."""
import os

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_trace_processors
from openai import AsyncOpenAI
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class AgentName(SpanProcessor):
    """Gives each span the agent of the span above it: this SDK names the agent on the agent's own span only."""

    def on_start(self, span, parent_context=None):
        above = getattr(trace.get_current_span(parent_context), "attributes", None) or {}
        is_agent = span.parent and span.attributes.get("openinference.span.kind") == "AGENT"  # the root is the whole run
        if name := span.name if is_agent else above.get("gen_ai.agent.name"):
            span.set_attribute("gen_ai.agent.name", name)


# The name that boards and Tempo show, and the project in Phoenix. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT, or else to port 4318.
NAME = "example-openai-agents"
provider = TracerProvider(resource=Resource.create({"service.name": NAME, "openinference.project.name": NAME}))
provider.add_span_processor(AgentName())
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
set_trace_processors([])  # the SDK's own exporter would send every run to api.openai.com
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)

URL = os.getenv("VLLM_BASE_URL", "http://127.0.0.1:8000/v1")
client = AsyncOpenAI(base_url=URL, api_key=os.getenv("VLLM_API_KEY", "none"))
MODEL = os.getenv("VLLM_MODEL", "Qwen/Qwen2.5-3B-Instruct")


@function_tool
def forecast(place: str) -> str:
    """The weather of tomorrow at a place in the wood."""
    return f"{place}: dry in the morning, rain from noon"


def agent(name: str, model: str, *tools) -> Agent:
    chat = OpenAIChatCompletionsModel(model, client)
    return Agent(name, instructions="You advise travellers.", model=chat, tools=list(tools))


# No server has the last model: this run fails, and the shipped policies keep each failed run.
for asked, question in [
    (agent("owl", MODEL, forecast), "Can I dry acorns in the clearing tomorrow?"),
    (agent("badger", MODEL), "Is the path along the brook passable?"),
    (agent("owl", "a-model-that-nobody-has"), "Will it snow on the hill?"),
]:
    try:
        print(f"{question} {Runner.run_sync(asked, question).final_output}")
    except Exception as error:
        print(f"{question} {type(error).__name__}: {error}")
provider.shutdown()  # sends what is still in the batch
