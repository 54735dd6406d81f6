package machine

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// render fills in templates/<name>.tmpl. A field that the data lacks is an error, never "<no value>".
func render(name string, data any) (string, error) {
	file := name + ".tmpl"
	parsed, err := template.New(file).Option("missingkey=error").ParseFS(templates, "templates/"+file)
	if err != nil {
		return "", fmt.Errorf("template of %s: %w", name, err)
	}
	var text strings.Builder
	if err := parsed.Execute(&text, data); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return text.String(), nil
}

// renderAll fills in several templates with the same data.
func renderAll(data any, names ...string) (map[string]string, error) {
	files := make(map[string]string, len(names))
	for _, name := range names {
		text, err := render(name, data)
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	return files, nil
}
