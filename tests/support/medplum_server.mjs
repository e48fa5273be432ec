// A FHIR R4 server made of Medplum's router and its repository in memory, which are not ours: for tests of the cast.
// Arguments: a port, and the folder whose node_modules has the packages. What is stored ends with the process.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

globalThis.WebSocket ??= class {}; // asked for when the package is loaded, and not used here
const [port, folder] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, "node_modules/@medplum", name, "dist/esm/index.mjs")).href);
const { FhirRouter, MemoryRepository } = await load("fhir-router");
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = await load("core");
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = await load("definitions");

indexStructureDefinitionBundle(readJson("fhir/r4/profiles-types.json"));
indexStructureDefinitionBundle(readJson("fhir/r4/profiles-resources.json"));
for (const name of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(readJson(name));

const repository = new MemoryRepository();
const router = new FhirRouter();
const STATUSES = { created: 201, ok: 200, "not-found": 404, gone: 410, "precondition-failed": 412, "multiple-matches": 412 };
const CAPABILITIES = {
  resourceType: "CapabilityStatement",
  fhirVersion: "4.0.1",
  software: { name: "Medplum" },
  rest: [{ mode: "server", interaction: [{ code: "transaction" }] }],
};

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const url = request.url.replace(/^\/fhir\/?/, "/");
  const answer = (status, document) => {
    response.writeHead(status, { "content-type": "application/fhir+json" });
    response.end(JSON.stringify(document));
  };
  if (url === "/metadata") return answer(200, CAPABILITIES);
  const asked = { method: request.method, url, params: {}, query: {}, headers: request.headers };
  try {
    const [outcome, resource] = await router.handleRequest({ ...asked, body: text && JSON.parse(text) }, repository);
    answer(STATUSES[outcome.id] ?? 400, resource ?? outcome);
  } catch (error) {
    answer(500, { resourceType: "OperationOutcome", issue: [{ code: "exception", diagnostics: String(error) }] });
  }
}).listen(Number(port), "127.0.0.1");
