// What a CRM service in JavaScript does with a running server, through the stock client of OpenAI.
// The client reads OPENAI_BASE_URL and OPENAI_API_KEY. Each step prints one line of JSON.
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const messages = [{ role: "user", content: "Đơn DH1001 của tôi ở đâu?" }];
const findOrder = {
  type: "function",
  function: {
    name: "find_order",
    description: "Find an order.",
    parameters: { type: "object", properties: { number: { type: "string" } }, required: ["number"] },
  },
};
const orderSchema = {
  type: "json_schema",
  json_schema: {
    name: "order",
    schema: {
      type: "object",
      properties: { number: { type: "string" }, is_late: { type: "boolean" } },
      required: ["number", "is_late"],
    },
  },
};

function print(step, facts) {
  console.log(JSON.stringify({ step, ...facts }));
}

async function listModels() {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  const model = await client.models.retrieve("customer_service");
  print("models", { names, kind: model.kind });
}

async function chat() {
  const { data, response } = await client.chat.completions
    .create({ model: "customer_service", messages, max_tokens: 200 }, { headers: { "Idempotency-Key": "order-DH1001" } })
    .withResponse();
  print("chat", {
    id: data.id,
    text: data.choices[0].message.content,
    tokens: data.usage.total_tokens,
    cost_usd: data.nextflow.cost_usd,
    header_cost_usd: response.headers.get("x-nextflow-cost-usd"),
  });
}

async function chatAgain() {
  const answer = await client.chat.completions.create(
    { model: "customer_service", messages, max_tokens: 200 },
    { headers: { "Idempotency-Key": "order-DH1001" } },
  );
  print("same key again", { id: answer.id, cache: answer.nextflow.cache });
}

async function stream() {
  const chunks = await client.chat.completions.create({
    model: "content_generation", messages, stream: true, stream_options: { include_usage: true },
  });
  let [text, pieces, finish, tokens] = ["", 0, null, 0];
  for await (const chunk of chunks) {
    text += chunk.choices[0]?.delta.content ?? "";
    pieces += 1;
    finish = chunk.choices[0]?.finish_reason ?? finish;
    tokens = chunk.usage?.total_tokens ?? tokens;
  }
  print("stream", { text, pieces, finish, tokens });
}

async function streamTools() {
  const runner = client.chat.completions.stream({
    model: "customer_service", messages, tools: [findOrder], tool_choice: "required",
  });
  const { choices } = await runner.finalChatCompletion();
  print("streamed tools", { name: choices[0].message.tool_calls[0].function.name });
}

async function tools() {
  const asked = { model: "customer_service", tools: [findOrder] };
  const first = await client.chat.completions.create({ ...asked, messages, tool_choice: "required" });
  const message = first.choices[0].message;
  const [call] = message.tool_calls;
  const result = { role: "tool", tool_call_id: call.id, content: "sent yesterday" };
  const last = await client.chat.completions.create({ ...asked, messages: [...messages, message, result] });
  print("tools", { name: call.function.name, call: JSON.parse(call.function.arguments), choices: last.choices.length });
}

async function structured() {
  const answer = await client.chat.completions.parse({
    model: "data_analysis", messages, response_format: orderSchema,
  });
  print("structured", { order: answer.choices[0].message.parsed });
}

async function embed() {
  const input = ["Đổi trả trong 30 ngày", "Giao hàng mất 3 ngày"];
  const vectors = await client.embeddings.create({ model: "embedding", input });
  print("embeddings", { sizes: vectors.data.map((item) => item.embedding.length), cost_usd: vectors.nextflow.cost_usd });
}

async function leave() {
  const chunks = await client.chat.completions.create({ model: "content_generation", messages, stream: true });
  for await (const _ of chunks) break; // the client then closes its connection
  print("left a stream", {});
}

async function refused(step, call) {
  try {
    await call();
    print(step, { error: null });
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    print(step, {
      error: error.constructor.name, status: error.status, code: error.code, param: error.param, type: error.type,
    });
  }
}

await listModels();
await chat();
await chatAgain();
await stream();
await streamTools();
await tools();
await structured();
await embed();
await leave();
await refused("unknown model", () => client.chat.completions.create({ model: "customer_servise", messages }));
await refused("unknown field", () => client.chat.completions.create({ model: "customer_service", messages, temprature: 1 }));
await refused("wrong key", () => new OpenAI({ apiKey: "nfk_wrong", maxRetries: 0 }).models.list());
await refused("no budget", () =>
  client.chat.completions.create(
    { model: "customer_service", messages },
    { headers: { "x-nextflow-run": "one-run", "x-nextflow-run-max-cost-usd": "0.0000001" } },
  ));
await refused("deadline", () =>
  client.chat.completions.create(
    { model: "customer_service", messages: [{ role: "user", content: "Sáng nay?" }] },
    { headers: { "x-nextflow-deadline-s": "0.000001" } },
  ));
