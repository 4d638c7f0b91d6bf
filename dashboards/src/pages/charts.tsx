import { Message } from '../parts/message.tsx'

export function ChartsPage() {
  return (
    <main>
      <Message title="Charts">
        <p>Not here yet.</p>
      </Message>
    </main>
  )
}
