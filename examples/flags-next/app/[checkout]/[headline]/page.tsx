import definitions from "../../../flags.json";

const { variants } = definitions.flags.headline;

/** Each combination is a static page; the middleware chooses one. */
export function generateStaticParams() {
  const headlines = Object.keys(variants);
  return ["old", "new"].flatMap((checkout) => headlines.map((headline) => ({ checkout, headline })));
}

export const dynamicParams = false;

export default async function Page({ params }: { params: Promise<{ checkout: string; headline: string }> }) {
  const { checkout, headline } = await params;
  return (
    <main>
      <h1>{variants[headline as keyof typeof variants]}</h1>
      <p>{checkout === "new" ? "The new checkout" : "The old checkout"}</p>
    </main>
  );
}
