"""An agent written by hand on LiteLLM, with a tool, seen through OpenInference. It needs the packages of requirements.txt."""
import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # before the import: else LiteLLM fetches its prices from the internet
import litellm
from openinference.instrumentation.litellm import LiteLLMInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class AgentName(SpanProcessor):
    """Gives each span the agent of the span above it: LiteLLM does not know which agent calls it."""

    def on_start(self, span, parent_context=None):
        above = getattr(trace.get_current_span(parent_context), "attributes", None) or {}
        if "gen_ai.agent.name" in above:
            span.set_attribute("gen_ai.agent.name", above["gen_ai.agent.name"])


# The name that boards and Tempo show, and the project in Phoenix. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT, or else to port 4318.
NAME = "example-litellm"
provider = TracerProvider(resource=Resource.create({"service.name": NAME, "openinference.project.name": NAME}))
provider.add_span_processor(AgentName())
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
LiteLLMInstrumentor().instrument(tracer_provider=provider)
tracer = provider.get_tracer(NAME)

SERVER = {"api_base": os.getenv("VLLM_BASE_URL", "http://127.0.0.1:8000/v1"), "api_key": os.getenv("VLLM_API_KEY", "none")}
MODEL = os.getenv("VLLM_MODEL", "Qwen/Qwen2.5-3B-Instruct")
PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
FORECAST = {"type": "function", "function": {"name": "forecast", "description": "Tomorrow's weather", "parameters": PLACE}}


def ask(question: str, model: str) -> str:
    kind = {"openinference.span.kind": "AGENT", "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "owl"}
    with tracer.start_as_current_span("invoke_agent owl", attributes=kind):
        messages = [{"role": "user", "content": question}]
        while True:
            reply = litellm.completion(model=f"openai/{model}", messages=messages, tools=[FORECAST], **SERVER).choices[0].message
            messages.append(reply.model_dump(exclude_none=True))
            for call in reply.tool_calls or []:
                tool = {"openinference.span.kind": "TOOL", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "forecast"}
                with tracer.start_as_current_span("execute_tool forecast", attributes=tool):
                    weather = f"{json.loads(call.function.arguments)['place']}: rain from noon"
                messages.append({"role": "tool", "tool_call_id": call.id, "content": weather})
            if not reply.tool_calls:
                return reply.content


# No server has the last model: this run fails, and the shipped policies keep each failed run.
for question, model in [("Can I dry acorns tomorrow?", MODEL), ("Is the path passable?", MODEL), ("Will it snow?", "no-model")]:
    try:
        print(question, ask(question, model))
    except Exception as error:
        print(question, type(error).__name__, error)
provider.shutdown()  # sends what is still in the batch
