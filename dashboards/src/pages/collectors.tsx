import { Message } from '../parts/message.tsx'

export function CollectorsPage() {
  return (
    <main>
      <Message title="Collectors">
        <p>Not here yet.</p>
      </Message>
    </main>
  )
}
