"""An agent on the plain openai package, seen through OpenLLMetry (Traceloop). It needs the packages of requirements.txt."""
import json
import os

os.environ["TRACELOOP_TELEMETRY"] = "false"  # before the import: else the SDK reports its use to its makers
from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, tool

# The name that boards and Tempo show, and the project in Phoenix. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT, or else to port 4318.
NAME = "example-traceloop"
os.environ["TRACELOOP_METRICS_ENABLED"] = "false"  # the Collector counts tokens and calls from spans
Traceloop.init(NAME, exporter=OTLPSpanExporter(), resource_attributes={"openinference.project.name": NAME})

URL = os.getenv("VLLM_BASE_URL", "http://127.0.0.1:8000/v1")
client = OpenAI(base_url=URL, api_key=os.getenv("VLLM_API_KEY", "none"))
MODEL = os.getenv("VLLM_MODEL", "Qwen/Qwen2.5-3B-Instruct")
PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
FORECAST = {"type": "function", "function": {"name": "forecast", "parameters": PLACE}}


@tool(name="forecast")
def forecast(place: str) -> str:
    return f"{place}: dry in the morning, rain from noon"


@agent(name="owl")  # the name of the agent: the spans below it have it too
def owl(question: str, model: str) -> str:
    messages = [{"role": "user", "content": question}]
    while True:
        reply = client.chat.completions.create(model=model, messages=messages, tools=[FORECAST]).choices[0].message
        messages.append(reply.model_dump(exclude_none=True))
        for call in reply.tool_calls or []:
            weather = forecast(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": weather})
        if not reply.tool_calls:
            return reply.content


# No server has the last model: this run fails, and the shipped policies keep each failed run.
for question, model in [
    ("Can I dry acorns in the clearing tomorrow?", MODEL),
    ("Is the path along the brook passable?", MODEL),
    ("Will it snow on the hill?", "a-model-that-nobody-has"),
]:
    try:
        print(question, owl(question, model))
    except Exception as error:
        print(question, type(error).__name__, error)
