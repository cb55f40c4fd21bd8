// Stands for `cloudflare:workers` of a runtime that cannot keep a request alive.
export {};
