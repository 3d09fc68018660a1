/** What the bundler makes of a style sheet: the names of its classes. */
declare module "*.module.css" {
  const names: Readonly<Record<string, string>>;
  export default names;
}
declare module "*.css";
