// Whether what was answered by OFREP is what the protocol says: tests/conformance/ofrep.openapi.json.
import { readFileSync } from "node:fs";
import { python } from "../support/python.mjs";
import { OPENAPI_TOOLS } from "../support/schemathesis.mjs";

/** One answer, as a client got it. */
export interface OfrepAnswer {
  path: string;
  status: number;
  type: string;
  headers: string[];
  body: string;
}

interface Protocol {
  components: { schemas: { reason: { enum: string[] }; value: { anyOf: object[] } } };
}

/** Problems of the document, then of each answer, as JSON. */
const VALIDATE = `
import json, sys
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
given = json.load(sys.stdin)
document = given["document"]
problems = [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()]
for answer in given["answers"]:
    name = "/ofrep/v1/evaluate/flags" + ("/{key}" if "/flags/" in answer["path"] else "")
    said = document["paths"][name]["post"]["responses"].get(str(answer["status"]))
    where = answer["path"] + " " + str(answer["status"]) + ": "
    if said is None:
        problems.append(where + "no such status")
        continue
    for header in said.get("headers", {}):
        if header.lower() not in answer["headers"]:
            problems.append(where + "no " + header)
    for type, content in said.get("content", {}).items():
        if answer["type"] != type:
            problems.append(where + "is " + answer["type"])
            continue
        schema = {**content["schema"], "components": document["components"]}
        for error in Draft202012Validator(schema).iter_errors(json.loads(answer["body"])):
            problems.append(where + error.json_path + ": " + error.message)
print(json.dumps(problems))
`;

/** What of these answers is not as the protocol has it. Unless they are `strict`, a reason may be `DEFAULT`, and a value a list or null. */
export async function problemsOf(answers: readonly OfrepAnswer[], { strict = false } = {}): Promise<string[]> {
  const path = new URL("../conformance/ofrep.openapi.json", import.meta.url);
  const document = JSON.parse(readFileSync(path, "utf8")) as Protocol;
  if (!strict) {
    document.components.schemas.reason.enum.push("DEFAULT");
    document.components.schemas.value.anyOf.push({ type: ["array", "null"] });
  }
  const { output, error } = await python(OPENAPI_TOOLS, VALIDATE, JSON.stringify({ document, answers }));
  if (error !== "") throw new Error(error);
  return JSON.parse(output) as string[];
}

/** `fetch` that remembers what was answered. */
export function recording(answers: OfrepAnswer[]): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const url = new URL(input instanceof Request ? input.url : String(input));
    if (url.pathname.startsWith("/ofrep/")) {
      answers.push({
        path: url.pathname,
        status: response.status,
        type: (response.headers.get("content-type") ?? "").split(";")[0] ?? "",
        headers: [...response.headers.keys()],
        body: await response.clone().text(),
      });
    }
    return response;
  };
}
