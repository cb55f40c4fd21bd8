/** The text of a file of SQL: bundlers and tests load it as such. */
declare module "*.sql" {
  const text: string;
  export default text;
}
