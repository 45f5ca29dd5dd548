// Loads a classic script, as players ship one.
export const script = (source) =>
  new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src: source, onload: resolve });
    element.onerror = () => reject(new Error(`${source} cannot be loaded`));
    document.head.append(element);
  });
