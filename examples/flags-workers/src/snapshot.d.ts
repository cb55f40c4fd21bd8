declare module "*.snapshot" {
  const bytes: ArrayBuffer;
  export default bytes;
}
